import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { after, leftMs, now } from './deadline.ts'

test('a deadline passes by whichever clock is further', () => {
  const { monotonicMs, uptimeMs } = now()
  expect(leftMs({ monotonicMs: monotonicMs + 1000, uptimeMs: uptimeMs - 500 })).toBeLessThanOrEqual(-490)
  expect(leftMs({ monotonicMs: monotonicMs - 500, uptimeMs: uptimeMs + 1000 })).toBeLessThanOrEqual(-500)
  expect(leftMs(after(now(), 1000))).toBeGreaterThan(900)
})

test('another process reads the same clocks', () => {
  const url = JSON.stringify(new URL('./deadline.ts', import.meta.url).href)
  const before = now()
  const script = `import(${url}).then(({ now }) => console.log(JSON.stringify(now())))`
  const theirs = JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    }),
  )
  const later = now()
  for (const clock of ['monotonicMs', 'uptimeMs'] as const) {
    expect(theirs[clock]).toBeGreaterThanOrEqual(before[clock])
    expect(theirs[clock]).toBeLessThanOrEqual(later[clock])
  }
})
