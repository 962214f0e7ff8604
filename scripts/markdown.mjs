// What the checks of the documentation read: the committed Markdown files, their blocks of code and their links.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, root } from './run.mjs'

/** The Markdown files of the checkout that people write, also those not committed yet. */
export async function markdownFiles() {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md']
  const output = await mustRun('git ls-files', 'git', list)
  const isWritten = (file) =>
    file !== '' && !file.startsWith('.changeset/') && !/\.api\.md$|CHANGELOG/.test(file)
  return [...new Set(output.split('\0'))].filter(isWritten)
}

/** The text of a file of the checkout. */
export function read(file) {
  return readFileSync(join(root, file), 'utf8')
}

/**
 * The blocks of code of a file: ```` ```ts more words ```` has language `ts` and info `more words`; `line` is that of its first line
 * of code, from 1.
 */
export function blocksOf(file) {
  const blocks = []
  let open
  for (const [at, line] of read(file).split('\n').entries()) {
    const fence = /^```(\w*) *(.*)$/.exec(line)
    if (!fence) open?.lines.push(line)
    else if (open) {
      blocks.push({ ...open, code: open.lines.join('\n') })
      open = undefined
    } else open = { file, line: at + 2, language: fence[1], info: fence[2], lines: [] }
  }
  return blocks
}

/** The text of a file without its blocks of code; lines keep their numbers. */
export function proseOf(file) {
  return read(file).replace(/^```.*?^```$/gms, (block) => block.replace(/[^\n]/g, ''))
}
