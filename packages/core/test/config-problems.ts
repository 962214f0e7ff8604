import type { ConfigProblem, InvalidConfigError } from '../src/errors.ts'
import { isSlotkeeperError } from '../src/errors.ts'

/** The InvalidConfigError that a call must throw. */
export function invalidConfig(call: () => unknown): InvalidConfigError {
  try {
    call()
  } catch (error) {
    if (isSlotkeeperError(error, 'SLOTKEEPER_INVALID_CONFIG')) return error as InvalidConfigError
    throw error
  }
  throw new Error('nothing was refused')
}

/** The problems that a call must throw, as an object. */
export function problemsOf(call: () => unknown): Record<string, string> {
  return Object.fromEntries(
    invalidConfig(call).problems.map(({ key, message }: ConfigProblem) => [key, message]),
  )
}
