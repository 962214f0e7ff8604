import type { HolderId, RepositoryKey, RunKey } from '@slotkeeper/core/driver'

/** The highest priority; higher ones sort first, so keys count down from it. */
const HIGHEST_PRIORITY = 2 ** 31 - 1

/**
 * Where everything is. Keys of repositories and runs are `namespace/name` with exactly one `/`, so what is joined by `/` can be taken apart
 * in one way only, whatever Unicode the parts hold; only holders, which may hold a `/`, are escaped.
 *
 * | key, below the prefix | value |
 * |---|---|
 * | `layout` | the layout's version |
 * | `clock` | store time, the highest that anybody has told |
 * | `floor` | the token floor that removals and operators left |
 * | `domain/REPOSITORY` | the domain's document: guard, repository, slots, the head of the queue. Every commit of the domain compares its revision |
 * | `slot/REPOSITORY/RUN` | the phase and the fencing token of a row that is a slot |
 * | `run/REPOSITORY/RUN` | the row of a run that is not in the document |
 * | `queue/REPOSITORY/ORDER` | such a row once more, in queue order, while it is an entry that is not parked |
 * | `due/REPOSITORY/TIME/RUN` | of such rows with a due time, records aside |
 * | `old/TIME/run/REPOSITORY/RUN` | of records, by the time after which they may go |
 * | `old/TIME/event/DOMAIN` | of `watched/event/DOMAIN`, once the repository is gone |
 * | `wake/TIME/DOMAIN` | of domains that need a decision at that time although nobody asks |
 * | `claim/DOMAIN` | until when somebody who swept has it |
 * | `holder/HOLDER` | of holders that were opened and may still be named by rows |
 * | `held/HOLDER/REPOSITORY` | of repositories that have, or had, rows that wait or run for a holder |
 * | `held/HOLDER/REPOSITORY/RUN` | of such rows that are not in the document |
 * | `watched/holder/HOLDER` | the living; on the holder's lease. Gone = dead |
 * | `watched/event/DOMAIN` | what the last commit told that somebody elsewhere wants to hear |
 */
export class KeySpace {
  readonly prefix: string
  readonly layout: string
  readonly clock: string
  readonly floor: string

  constructor(prefix: string) {
    this.prefix = `${prefix}/`
    this.layout = `${prefix}/layout`
    this.clock = `${prefix}/clock`
    this.floor = `${prefix}/floor`
  }

  domain(domain: string): string {
    return `${this.prefix}domain/${domain}`
  }

  run(repository: RepositoryKey, run: RunKey): string {
    return `${this.prefix}run/${repository}/${run}`
  }

  runs(repository: RepositoryKey): string {
    return `${this.prefix}run/${repository}/`
  }

  /** The place in the queue; without a sequence, what all entries of the priority begin with. */
  entry(repository: RepositoryKey, priority: number, sequence?: number): string {
    const level = hex(HIGHEST_PRIORITY - priority, 8)
    const order = sequence === undefined ? level : level + hex(sequence, 14)
    return `${this.prefix}queue/${repository}/${order}`
  }

  slot(repository: RepositoryKey, run: RunKey | ''): string {
    return `${this.prefix}slot/${repository}/${run}`
  }

  due(repository: RepositoryKey, at: number, run: RunKey): string {
    return `${this.dues(repository)}${timeKey(at)}/${run}`
  }

  dues(repository: RepositoryKey): string {
    return `${this.prefix}due/${repository}/`
  }

  oldRun(at: number, repository: RepositoryKey, run: RunKey): string {
    return `${this.prefix}old/${timeKey(at)}/run/${repository}/${run}`
  }

  oldEvent(at: number, domain: string): string {
    return `${this.prefix}old/${timeKey(at)}/event/${domain}`
  }

  /** What all old things before a time are below; and above `old/`. */
  oldUntil(at: number): string {
    return `${this.prefix}old/${timeKey(at)}0`
  }

  wake(at: number, domain: string): string {
    return `${this.prefix}wake/${timeKey(at)}/${domain}`
  }

  wakeUntil(at: number): string {
    return `${this.prefix}wake/${timeKey(at)}0`
  }

  claim(domain: string): string {
    return `${this.prefix}claim/${domain}`
  }

  holder(holder: HolderId): string {
    return `${this.prefix}holder/${escaped(holder)}`
  }

  holds(holder: HolderId, repository: RepositoryKey): string {
    return `${this.prefix}held/${escaped(holder)}/${repository}`
  }

  held(holder: HolderId, repository?: RepositoryKey, run?: RunKey): string {
    const rest = repository === undefined ? '' : `${repository}/${run ?? ''}`
    return `${this.prefix}held/${escaped(holder)}/${rest}`
  }

  alive(holder: HolderId): string {
    return `${this.prefix}watched/holder/${escaped(holder)}`
  }

  event(domain: string): string {
    return `${this.prefix}watched/event/${domain}`
  }

  /** All keys of a kind. */
  all(kind: 'domain' | 'old' | 'wake' | 'claim' | 'holder' | 'watched' | 'watched/holder'): string {
    return `${this.prefix}${kind}/`
  }
}

/** The end of the range of all keys that begin with `prefix`, which ends with a `/`. */
export function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`
}

/** Times and tokens as text that sorts as they do. */
export function timeKey(value: number): string {
  return String(value).padStart(16, '0')
}

/** The repository and the run at the end of a key; the run is missing where only the repository is named. */
export function runAt(
  key: string,
  from: number,
): { readonly repository: RepositoryKey; readonly run: RunKey | undefined } {
  const [namespace, name, runNamespace, runName] = key.slice(from).split('/')
  return {
    repository: `${namespace}/${name}`,
    run: runName === undefined ? undefined : `${runNamespace}/${runName}`,
  }
}

/** What stands in a key for a holder. */
function escaped(holder: HolderId): string {
  return holder.replaceAll('%', '%25').replaceAll('/', '%2F')
}

/** The holder that stands in a key. */
export function holderAt(text: string): HolderId {
  return text.replaceAll('%2F', '/').replaceAll('%25', '%') as HolderId
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
