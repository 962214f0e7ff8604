import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import type { Verdict } from './judge.ts'

/** What is told at the end. */
export interface Summary {
  readonly seconds: number
  readonly verdict: Verdict
  /** Where the children's log is, if it was kept. */
  readonly log: string | undefined
  /** Where the picture is. */
  readonly picture: string
}

/** Whether every check held. */
export function isHeld({ checks }: Verdict): boolean {
  return checks.every(({ violations }) => violations.length === 0)
}

/** The summary as one object. */
export function summaryJson({ seconds, verdict, log, picture }: Summary): object {
  const { repositories, checks, kill } = verdict
  const { violations: _, says: __, ...figures } = kill
  return {
    ok: isHeld(verdict),
    seconds: Number(seconds.toFixed(1)),
    repositories: repositories.map((row) => ({ ...row, limit: row.limit === 0 ? 'unlimited' : row.limit })),
    killed: figures,
    checks: checks.map(({ name, says, violations }) => ({
      name,
      ok: violations.length === 0,
      says,
      violations,
    })),
    log: log ?? null,
    picture,
  }
}

/** The summary as tables. */
export function writeSummary(summary: Summary, stream: WriteStream): void {
  const { verdict, seconds, log, picture } = summary
  const { repositories, checks } = verdict
  const children = repositories.reduce((sum, row) => sum + row.children, 0)
  const done = repositories.reduce((sum, row) => sum + row.done, 0)
  const table = [
    ['repository', 'limit', 'peak', 'runs', 'done', 'children', 'stopped', 'pairs in order'],
    ...repositories.map((row) => [
      row.repository,
      row.limit === 0 ? 'none' : String(row.limit),
      String(row.peak),
      String(row.runs),
      String(row.done),
      String(row.children),
      String(row.stopped),
      `${row.orderedPairs} of ${row.pairs}`,
    ]),
  ]
  const lines = [
    '',
    `Judged by what the ${children} children wrote themselves, not by what the SDK says:`,
    '',
    ...align(table),
    '',
    ...checks.flatMap(({ name, says, violations }) => [
      `${violations.length === 0 ? styleText('green', '  ok  ', { stream }) : styleText(['red', 'bold'], 'FAILED', { stream })}  ${name}: ${says}`,
      ...violations.slice(0, MOST_SHOWN).map((violation) => `          ${violation}`),
      ...(violations.length > MOST_SHOWN ? [`          and ${violations.length - MOST_SHOWN} more.`] : []),
    ]),
    '',
    `${done} runs done by ${children} child processes in ${seconds.toFixed(1)} s.`,
    ...(log === undefined ? [] : [`The children's log: ${log}`]),
    `A picture of it: ${picture}`,
  ]
  stream.write(`${lines.join('\n')}\n`)
}

/** How many violations of one check are written out. */
const MOST_SHOWN = 5

function align(table: readonly (readonly string[])[]): readonly string[] {
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  return table.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  )
}
