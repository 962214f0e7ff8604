import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const guide = readFileSync(new URL('../../docs/writing-a-driver.md', import.meta.url), 'utf8')
const template = readdirSync(new URL('.', import.meta.url))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => flat(readFileSync(new URL(name, import.meta.url), 'utf8')))

/** Without what indentation and line comments add. */
function flat(code: string): string {
  return code.replace(/^\s*(\/\/)?\s*/gm, '').trim()
}

test('every piece of code in the guide is code of the template, which compiles', () => {
  const pieces = [...guide.matchAll(/```ts fragment\n(.*?)```/gs)].map(([, code]) => flat(code as string))
  expect(pieces.length).toBeGreaterThan(5)
  expect(pieces.filter((piece) => !template.some((code) => code.includes(piece)))).toEqual([])
})
