import { createInterface } from 'node:readline'
import { isatty } from 'node:tty'
import { EXIT } from '../exit-codes.ts'
import { ExitError } from '../exit-error.ts'
import type { Output } from '../output.ts'
import { printable } from '../printable.ts'
import type { Operator } from './operator.ts'

/**
 * Says on standard error what will be done, and asks on the terminal whether it shall; with `--yes` it only says.
 * @throws ExitError 77 when the answer is not yes, or when there is no terminal to ask on
 */
export async function confirm(plan: readonly string[], { yes }: Operator, err: Output): Promise<void> {
  for (const line of plan) err.write(`${printable(line)}\n`)
  if (yes) return
  // Whoever does not see the question cannot answer it.
  if (!isatty(0) || !isatty(2))
    throw new ExitError(
      'Nothing was changed: there is no terminal to ask on. Add --yes if it is meant.',
      EXIT.notConfirmed,
    )
  err.write('Do it? [y/N] ')
  const answer = await readLine()
  // The end of the input leaves the cursor behind the question.
  if (answer === undefined) err.write('\n')
  if (!/^\s*y(es)?\s*$/i.test(answer ?? '')) throw new ExitError('Nothing was changed.', EXIT.notConfirmed)
}

/** `undefined` at the end of the input. The terminal keeps its own line editing, so Ctrl-C ends this process. */
async function readLine(): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin })
  try {
    for await (const line of lines) return line
    return undefined
  } finally {
    lines.close()
  }
}
