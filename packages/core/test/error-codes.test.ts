import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../src/error-codes.ts'

test('every code is named by the sources outside the table of codes', () => {
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
