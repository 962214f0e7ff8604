import { limitOf, type RepositoryRow, type RunRow } from '../rows.ts'
import type { Section } from '../section.ts'
import { isDead, settle } from './expire.ts'
import { CHANGES_PER_SETTLING, type Policy } from './policy.ts'
import { grant } from './transitions.ts'

/** Whether the limit leaves room for one more slot. */
export function hasRoom(repository: RepositoryRow): boolean {
  const limit = limitOf(repository)
  return limit === 0 || repository.live < limit
}

/** There is an entry that goes next, but which one it is cannot be found out within this commit's budget. */
export const BLOCKED = Symbol('blocked')

/** The entry that goes next. Entries of dead holders on the way are ended, as long as the budget leaves `keep` changes after it. */
export function nextEligible(
  section: Section,
  policy: Policy,
  repository: RepositoryRow,
  keep: number,
): RunRow | typeof BLOCKED | undefined {
  for (;;) {
    const head = section.head(repository.repository)
    if (head === undefined) return section.headsCut ? BLOCKED : undefined
    if (head.holder === undefined || !isDead(section, head.holder)) return head
    if (section.left < CHANGES_PER_SETTLING + keep) return BLOCKED
    settle(section, policy, repository, head)
  }
}

/** A grant changes the row and its repository, and leaves one change for the guard. */
const CHANGES_PER_GRANT = 3

/**
 * Gives free slots to the next eligible entries: a worker's entry runs at once, a durable one is reserved.
 * @returns whether there is more to do than the budget or the window allowed
 */
export function promote(
  section: Section,
  policy: Policy,
  repository: RepositoryRow,
  granted: RunRow[],
): boolean {
  if (repository.status !== 'present' || repository.state !== 'active') return false
  while (repository.waiting > repository.parked && hasRoom(repository)) {
    if (section.left < CHANGES_PER_GRANT) return true
    const head = nextEligible(section, policy, repository, CHANGES_PER_GRANT)
    if (head === BLOCKED) return true
    if (head === undefined) return false
    grant(section, repository, head, 'waiting', head.durable ? undefined : head.holder)
    granted.push(head)
  }
  return false
}
