import type { Explanation } from '@slotkeeper/core'
import { age, clockTime } from '../times.ts'

/** So many holders are named; a line has to stay a line. */
const NAMED = 3

/** Where a waiting run stands, in one line: its place, who holds the slots, since when. */
export function waitLine(explanation: Explanation, waitedMs: number, now = new Date()): string {
  const { repository, repositoryState, place, limit, live, holders } = explanation
  const at =
    place === undefined
      ? 'waiting'
      : `place ${typeof place === 'number' ? place : `${place.atLeast} or later`}`
  const held = holders.slice(0, NAMED).map(({ run, holder, acquiredAt }) => {
    return `${run} since ${clockTime(acquiredAt, now)} (${holder ?? 'nobody keeps it'})`
  })
  if (holders.length > held.length) held.push(`${live - held.length} more`)
  const state = repositoryState === 'active' ? '' : `; ${repository} is ${repositoryState}`
  const who = held.length === 0 ? '' : `: ${held.join(', ')}`
  return `${repository}: ${at}, waiting ${age(waitedMs)}; ${live} of ${limit} taken${who}${state}`
}

/** What has to change for a line to be worth saying again. */
export function waitSignature({ place, limit, repositoryState, holders }: Explanation): string {
  return JSON.stringify([place, limit, repositoryState, holders.map(({ run }) => run)])
}

/** The same for programs. */
export function waitEvent(explanation: Explanation, waitedMs: number): object {
  const { repository, run, repositoryState, place, limit, live, holders } = explanation
  return {
    event: 'waiting',
    repository,
    run,
    state: repositoryState,
    place: typeof place === 'number' || place === undefined ? place : place.atLeast,
    limit,
    live,
    waitedMs: Math.round(waitedMs),
    holders: holders.map((slot) => ({ run: slot.run, holder: slot.holder, since: slot.acquiredAt })),
  }
}
