import { ERROR_CODES, type ErrorCode, SlotkeeperError } from '@slotkeeper/core'
import { expect, test } from 'vitest'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { ExitError } from './exit-error.ts'

test('every failure of a store is 69, every lost lease 75, and no error is 0', () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const exitCode = exitCodeOf(new SlotkeeperError(code, 'x'))
    expect(Object.values(EXIT)).toContain(exitCode)
    if (code.startsWith('SLOTKEEPER_STORE_')) expect(exitCode).toBe(EXIT.storeAway)
  }
  expect(exitCodeOf(new SlotkeeperError('SLOTKEEPER_SLOT_LOST', 'x'))).toBe(75)
  expect(exitCodeOf(new SlotkeeperError('SLOTKEEPER_WAIT_TIMEOUT', 'x'))).toBe(124)
  expect(exitCodeOf(new SlotkeeperError('SLOTKEEPER_INVALID_ARGUMENT', 'x'))).toBe(125)
  expect(exitCodeOf(new ExitError('x', 127))).toBe(127)
  expect(exitCodeOf(new TypeError('x'))).toBe(125)
})
