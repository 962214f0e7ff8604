import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../src/error-codes.ts'

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
const rows = page.split('\n').filter((line) => line.startsWith('| `SLOTKEEPER_'))

test('docs/errors.md lists every code with its meaning, and no other', () => {
  const expected = Object.entries(ERROR_CODES).map(
    ([code, { retryable, meaning, remedy }]) =>
      `| \`${code}\` | ${retryable ? 'yes' : 'no'} | ${meaning} | ${remedy} |`,
  )
  expect(rows).toEqual(expected)
})

test('every code is named by the sources outside the table of codes', async () => {
  const { readdirSync } = await import('node:fs')
  const packages = new URL('../../', import.meta.url)
  const sources = readdirSync(packages).flatMap((name) =>
    readdirSync(new URL(`${name}/src`, packages), { recursive: true, encoding: 'utf8' })
      .filter(
        (file) => file.endsWith('.ts') && !file.endsWith('error-codes.ts') && !file.endsWith('.test.ts'),
      )
      .map((file) => readFileSync(new URL(`${name}/src/${file}`, packages), 'utf8')),
  )
  const text = sources.join('\n')
  expect(Object.keys(ERROR_CODES).filter((code) => !text.includes(`'${code}'`))).toEqual([])
})
