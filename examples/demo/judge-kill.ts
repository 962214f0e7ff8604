import type { History } from './history.ts'

/** How the slots of the killed worker came back. */
export interface ComeBack {
  readonly worker: string | undefined
  /** Slots that it held, with a child at work under each. */
  readonly slots: number
  /** From the kill to the end of its last child. */
  readonly childrenGoneMs: number | undefined
  /** How many of the slots were given to somebody else. */
  readonly given: number
  /** From the kill to the last of these. */
  readonly givenAfterMs: number | undefined
  readonly says: string
  readonly violations: readonly string[]
}

/** A holder is dead after its TTL, noticed within a third of it by the heartbeats of others; a busy machine may need longer. */
const SLACK_MS = 3000

/**
 * A slot of the killed worker has come back when its number is given to another child. Where that never happens although a run
 * waited so long that it should have, the slot was lost.
 */
export function judgeKill(history: History, ttlMs: number): ComeBack {
  const kill = history.kills[0]
  if (kill === undefined) return NOBODY
  const started = history.started()
  const held = started.filter(
    ({ worker, end }) =>
      worker === kill.worker && end?.outcome !== 'done' && (end === undefined || end.line > kill.line),
  )
  const violations: string[] = []
  if (held.length === 0) violations.push(`${kill.worker} was killed and held no slot at that moment.`)
  const mostMs = ttlMs + ttlMs / 3 + SLACK_MS
  const tooLate = kill.at + mostMs
  const given: number[] = []
  for (const { repository, run, start, end } of held) {
    if (start.slot === undefined) continue
    const slot = `slot ${start.slot} of ${repository}, which ${kill.worker} held for ${run}`
    const later = started.filter((other) => other.repository === repository && other.start.line > kill.line)
    const next = later.find((other) => other.start.slot === start.slot && other.worker !== kill.worker)
    if (next !== undefined && (end === undefined || next.start.line < end.line))
      violations.push(`The ${slot}, was given to ${next.run} before the child was gone.`)
    if (next !== undefined && next.start.at <= tooLate) given.push(next.start.at - kill.at)
    else if (later.some((other) => other.asked.at < tooLate - ttlMs && other.start.at > tooLate))
      violations.push(
        `The ${slot}, had not come back ${seconds(mostMs)} after the kill, though others waited.`,
      )
  }
  const goneMs = held.some(({ end }) => end === undefined)
    ? undefined
    : Math.ceil(Math.max(0, ...held.map(({ end }) => (end?.at ?? 0) - kill.at)))
  const givenAfterMs = given.length === 0 ? undefined : Math.ceil(Math.max(...given))
  const gone = goneMs === undefined ? 'are not known to be gone' : `were gone ${goneMs} ms later`
  const back =
    givenAfterMs === undefined
      ? 'nobody needed its slots again'
      : `${given.length} of the slots went to others, the last after ${seconds(givenAfterMs)}`
  return {
    worker: kill.worker,
    slots: held.length,
    childrenGoneMs: goneMs,
    given: given.length,
    givenAfterMs,
    says: `${kill.worker} was killed with ${held.length} ${held.length === 1 ? 'slot' : 'slots'}; its children ${gone}; ${back}`,
    violations,
  }
}

const NOBODY: ComeBack = {
  worker: undefined,
  slots: 0,
  childrenGoneMs: undefined,
  given: 0,
  givenAfterMs: undefined,
  says: 'no worker was killed',
  violations: ['No worker was killed, for at no moment did one have a child at work in its first half.'],
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
