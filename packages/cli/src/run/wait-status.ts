import { setTimeout as pause } from 'node:timers/promises'
import type { Explanation, Manager, RepositoryKey, RunKey } from '@slotkeeper/core'
import { jsonText } from '../json-text.ts'
import type { Output } from '../output.ts'
import { printable } from '../printable.ts'
import { waitEvent, waitLine, waitSignature } from './wait-line.ts'

/** Whose wait is shown, and how. */
export interface WaitStatusOptions {
  readonly manager: Manager
  readonly repository: RepositoryKey
  readonly run: RunKey
  readonly output: Output
  readonly json: boolean
}

/** Who gets a slot at once is told nothing. */
const FIRST_MS = 400
const TICK_MS = 1000
/** Lines that cannot be rewritten come no sooner than this after one another, however much changes. */
const LINE_MS = 3000
/** And no later than this, so that a log shows that the wait goes on. */
const REMINDER_MS = 60_000
/** The longer a wait, the seldomer the store is asked how it stands. */
const LOOK_AFTER_MS = [
  [10_000, TICK_MS],
  [60_000, LINE_MS],
  [Number.POSITIVE_INFINITY, 10_000],
] as const

/**
 * Shows where a run stands until the signal aborts: on a terminal one line, written anew every second; else lines of their own when
 * something has changed, never more than one in 3 s; with `json` these as JSON.
 */
export async function showWait(options: WaitStatusOptions, signal: AbortSignal): Promise<void> {
  const { output, json } = options
  const rewrites = output.isTerminal && !json
  const since = performance.now()
  const show = rewrites ? rewriting(output) : appending(output, json)
  let explanation: Explanation | undefined
  let lookAt = 0
  try {
    await pause(FIRST_MS, undefined, { signal, ref: false })
    for (;;) {
      const waitedMs = performance.now() - since
      if (waitedMs >= lookAt) {
        explanation = (await look(options, signal)) ?? explanation
        lookAt = waitedMs + nextLookMs(waitedMs)
      }
      if (explanation !== undefined && !signal.aborted) show(explanation, waitedMs)
      await pause(TICK_MS, undefined, { signal, ref: false })
    }
  } catch (error) {
    if (!signal.aborted) throw error
    if (rewrites && explanation !== undefined) output.write('\r\x1b[K')
  }
}

/** A store that does not answer now is no news about the wait. */
async function look(
  { manager, repository, run }: WaitStatusOptions,
  signal: AbortSignal,
): Promise<Explanation | undefined> {
  try {
    const explanation = await manager.explain(repository, run, { signal })
    return explanation.kind === 'waiting' ? explanation : undefined
  } catch {
    return undefined
  }
}

function nextLookMs(waitedMs: number): number {
  return LOOK_AFTER_MS.find(([until]) => waitedMs < until)?.[1] ?? TICK_MS
}

function rewriting(output: Output): (explanation: Explanation, waitedMs: number) => void {
  return (explanation, waitedMs) =>
    output.write(
      `\r\x1b[K${`slotkeeper: ${printable(waitLine(explanation, waitedMs))}`.slice(0, output.columns - 1)}`,
    )
}

function appending(output: Output, json: boolean): (explanation: Explanation, waitedMs: number) => void {
  let shown = ''
  let shownAt = Number.NEGATIVE_INFINITY
  return (explanation, waitedMs) => {
    const signature = waitSignature(explanation)
    if (waitedMs - shownAt < (signature === shown ? REMINDER_MS : LINE_MS)) return
    shown = signature
    shownAt = waitedMs
    output.write(
      json
        ? `${jsonText(waitEvent(explanation, waitedMs))}\n`
        : `slotkeeper: ${printable(waitLine(explanation, waitedMs))}\n`,
    )
  }
}
