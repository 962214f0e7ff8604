import type { Command } from '../../../src/commands.ts'
import type { RunKey } from '../../../src/keys.ts'
import type { Phase, RepositoryRow, RunRow, StoreEvent } from '../../../src/rows.ts'
import type { Commit } from './world.ts'

/** A rule that did not hold, with the commit that broke it. */
class RuleBroken extends Error {}

/** Throws unless the condition holds. */
export function must(condition: boolean, what: string, commit?: Commit, ...shown: readonly unknown[]): void {
  if (condition) return
  const parts = [what, ...shown.map((one) => JSON.stringify(one))]
  if (commit !== undefined) {
    parts.push(`now ${commit.now}, by ${commit.by}, decided ${commit.decision.decided} of`)
    for (const command of commit.commands) parts.push(`  ${JSON.stringify(command)}`)
    parts.push(`before: ${JSON.stringify(commit.before.repository)}`)
    for (const row of commit.before.runs.values()) parts.push(`  ${JSON.stringify(row)}`)
    parts.push(`after: ${JSON.stringify(commit.after.repository)}`)
    for (const row of commit.after.runs.values()) parts.push(`  ${JSON.stringify(row)}`)
    parts.push('events:')
    for (const event of commit.changes.events) parts.push(`  ${JSON.stringify(event)}`)
  }
  throw new RuleBroken(parts.join('\n'))
}

/** The row that the run had before, unless its repository was removed and began anew in this commit. */
export function rowBefore(commit: Commit, run: RunKey): RunRow | undefined {
  return wasRemoved(commit) ? undefined : commit.before.runs.get(run)
}

/** Whether the repository's removal ended in this commit. */
export function wasRemoved({ before, after, changes }: Commit): boolean {
  if (changes.droppedRepositories.length > 0) return true
  if (before.repository?.status === 'removed') return true
  if (before.repository?.status !== 'removing') return false
  // It may have begun anew and be in removal again.
  return (
    after.repository?.status !== 'removing' ||
    changes.events.some(({ kind, run }) => kind === 'removed' && run === undefined)
  )
}

/** An event, and in which phase its run was before it; `record` for a run without a row. */
export interface Told {
  readonly event: StoreEvent
  readonly run: RunKey
  readonly was: Phase
  readonly now: Phase
  /** How many slots there were before it. */
  readonly live: number
}

/** The commit's events about runs in their order, each with what it changed: a history that is folded without looking at the rows. */
export function tell(commit: Commit): {
  readonly told: readonly Told[]
  readonly phases: ReadonlyMap<RunKey, Phase>
} {
  const phases = new Map<RunKey, Phase>()
  let live = 0
  for (const row of commit.before.runs.values()) {
    phases.set(row.run, row.phase)
    if (hasSlot(row.phase)) live++
  }
  const told: Told[] = []
  for (const event of commit.changes.events) {
    const { run } = event
    if (run === undefined) continue
    const was = phases.get(run) ?? 'record'
    const now = phaseAfter(event, was)
    told.push({ event, run, was, now, live })
    live += Number(hasSlot(now)) - Number(hasSlot(was))
    phases.set(run, now)
  }
  return { told, phases }
}

function phaseAfter(event: StoreEvent, was: Phase): Phase {
  switch (event.kind) {
    case 'enqueued':
    case 'requeued':
    case 'parked':
    case 'unparked':
      return 'waiting'
    case 'granted':
      return event.phase ?? was
    case 'claimed':
    case 'adopted':
      return 'running'
    case 'orphaned':
      return 'orphaned'
    case 'withdrawn':
    case 'released':
    case 'expired':
    case 'removed':
      return 'record'
    default:
      return was
  }
}

export function hasSlot(phase: Phase): boolean {
  return phase !== 'waiting' && phase !== 'record'
}

export function decided(commit: Commit): readonly Command[] {
  return commit.commands.slice(0, commit.decision.decided)
}

/** Decided commands about one run. */
export function about(commit: Commit, run: RunKey): readonly Command[] {
  return decided(commit).filter((command) => 'run' in command && command.run === run)
}

/** The effective limit, 0 for none. */
export function limitOfRow(row: RepositoryRow | undefined): number {
  return row?.local?.limit ?? row?.global?.limit ?? 0
}

/** Whether the holder was dead or overdue when the facts were loaded. */
export function wasGone(commit: Commit, holder: RunRow['holder']): boolean {
  if (holder === undefined) return false
  const row = commit.holders.get(holder)
  return row === undefined || row.dead || row.expiresAt <= commit.now
}

/** Whether a waiting row may be granted. */
export function isEligible(commit: Commit, row: RunRow): boolean {
  return row.phase === 'waiting' && row.dueAt === undefined && !wasGone(commit, row.holder)
}

/** Negative when `a` goes first. */
export function before(a: RunRow, b: RunRow): number {
  return a.priority !== b.priority ? b.priority - a.priority : a.sequence - b.sequence
}

/** Whether the commit gave a slot to the run because it runs already, whatever the limit. */
export function isAdoptedBeyond(commit: Commit, run: RunKey, token: number | undefined): boolean {
  return about(commit, run).some(
    (command) => command.kind === 'adopt' && command.beyond !== undefined && !promoted(commit, run, token),
  )
}

/** Whether the grant was a promotion at the end of the decision. */
export function promoted(commit: Commit, run: RunKey, token: number | undefined): boolean {
  return commit.decision.granted.some((row) => row.run === run && row.token === token)
}
