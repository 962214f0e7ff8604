import type { Command } from './commands.ts'
import type { DomainBatch, RunRef } from './driver.ts'
import type { HolderId, RepositoryKey } from './keys.ts'

/** What a driver must load to decide a batch. */
export interface SectionRequest {
  readonly domain: string
  /** Repositories of the domain that commands name; it has these and no others today. */
  readonly repositories: readonly RepositoryKey[]
  readonly runs: readonly RunRef[]
  readonly holders: readonly HolderId[]
  /** The most overdue rows to load. */
  readonly overdue: number
  /** The most entries to load: enough for every slot that the commands may free, and one to see whether anybody waits. */
  readonly heads: number
}

/** Entries loaded beyond those that the commands ask for, so that slots freed by expiry find their next run too. */
const SPARE_HEADS = 4

const NO_RUNS: readonly RunRef[] = Object.freeze([])
const NO_HOLDERS: readonly HolderId[] = Object.freeze([])

/** Says what to load for a batch. */
export function sectionRequest(
  batch: Pick<DomainBatch, 'domain' | 'commands'>,
  budget: number,
): SectionRequest {
  const { domain, commands } = batch
  const [alone] = commands
  if (alone !== undefined && commands.length === 1 && alone.repository === domain)
    return {
      domain,
      repositories: [alone.repository],
      runs: 'run' in alone ? [alone] : NO_RUNS,
      holders: 'holder' in alone ? [alone.holder] : NO_HOLDERS,
      ...pages(SPARE_HEADS + headsFor(alone, budget), budget),
    }
  const repositories = new Set<RepositoryKey>([domain as RepositoryKey])
  const runs = new Map<string, RunRef>()
  const holders = new Set<HolderId>()
  let heads = commands.length === 0 ? budget : SPARE_HEADS
  for (const command of commands) {
    repositories.add(command.repository)
    if ('run' in command) runs.set(`${command.repository}/${command.run}`, command)
    if ('holder' in command) holders.add(command.holder)
    heads += headsFor(command, budget)
  }
  return {
    domain,
    repositories: [...repositories],
    runs: [...runs.values()],
    holders: [...holders],
    ...pages(heads, budget),
  }
}

function pages(heads: number, budget: number): Pick<SectionRequest, 'overdue' | 'heads'> {
  const most = Math.max(1, Math.floor(budget / 2))
  return { overdue: most, heads: Math.min(heads, most) }
}

function headsFor(command: Command, budget: number): number {
  switch (command.kind) {
    case 'release':
    case 'finish':
    case 'withdraw':
    case 'requeue':
      return 1
    case 'limit':
    case 'repository-state':
      return budget
    default:
      return 0
  }
}
