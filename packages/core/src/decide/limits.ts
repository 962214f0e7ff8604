import type { RepositoryKey } from '../keys.ts'
import type { Audit } from '../repair/audit.ts'
import { type LimitProposal, limitOf, type RepositoryRow } from '../rows.ts'
import type { Section } from '../section.ts'

/** How many earlier uids a repository remembers, so that messages from them change nothing. */
const REMEMBERED_UIDS = 16

/**
 * The repository's row with the proposal taken into account, made where there was none.
 * `undefined` = the proposal comes from a repository that was removed, or that is being removed. `audit`: whose word it is.
 */
export function propose(
  section: Section,
  key: RepositoryKey,
  source: 'local' | 'global',
  proposal: LimitProposal,
  audit?: Audit,
): RepositoryRow | undefined {
  const row = section.repository(key)
  if (row === undefined) {
    const made = newRepository(section.domain, key)
    made[source] = proposal
    section.savedRepository(made)
    return made
  }
  const current = source === 'local' ? row.local : row.global
  if (current === proposal) return row.status === 'present' ? row : undefined
  if (row.status === 'removing') return undefined
  if (source === 'local' && proposal.uid !== undefined && row.removedUids.includes(proposal.uid))
    return undefined
  const revived = row.status === 'removed'
  // Only its own word begins another life of a repository.
  if (revived && source === 'global') return undefined
  if (!revived && !supersedes(proposal, current)) return row
  const before = limitOf(row)
  if (
    source === 'local' &&
    current?.uid !== undefined &&
    proposal.uid !== undefined &&
    current.uid !== proposal.uid
  )
    rememberUid(row, current.uid)
  if (revived) {
    row.status = 'present'
    row.dueAt = undefined
    row.local = row.global = undefined
  }
  row[source] =
    proposal.uid === undefined && current?.uid !== undefined && !revived
      ? { ...proposal, uid: current.uid }
      : proposal
  section.savedRepository(row)
  const limit = limitOf(row)
  if (limit !== before || revived) section.emit('limit', row, undefined, { limit, source, ...audit })
  return row
}

/** Whether a proposal replaces the current one of the same source. */
function supersedes(proposal: LimitProposal, current: LimitProposal | undefined): boolean {
  if (current === undefined) return true
  const { limit, uid, generation } = proposal
  if (uid !== undefined && current.uid !== undefined && uid !== current.uid) return true
  if (generation !== undefined) return current.generation === undefined || generation > current.generation
  if (current.generation !== undefined) return false
  return limit !== current.limit || (uid !== undefined && uid !== current.uid)
}

/** Adds a uid to those that may not come back. */
export function rememberUid(row: RepositoryRow, uid: string): void {
  row.removedUids = [...row.removedUids, uid].slice(-REMEMBERED_UIDS)
}

/** A repository that nobody has spoken of yet. */
export function newRepository(domain: string, repository: RepositoryKey): RepositoryRow {
  return {
    repository,
    domain,
    status: 'present',
    state: 'active',
    local: undefined,
    global: undefined,
    removedUids: [],
    lastToken: 0,
    lastSequence: 0,
    live: 0,
    reserved: 0,
    orphaned: 0,
    waiting: 0,
    parked: 0,
    numbers: [0],
    dueAt: undefined,
  }
}
