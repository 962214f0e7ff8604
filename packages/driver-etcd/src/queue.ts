import { queueOrder, type RepositoryKey, type RunRow } from '@slotkeeper/core/driver'
import type { IRangeResponse, IRequestOp } from 'etcd3'
import { runOf } from './document.ts'
import type { KeySpace } from './keys.ts'
import { countOf, type Level } from './levels.ts'
import { range } from './operations.ts'

/** How far a range reaches at first, in sequence numbers; each further one of the level reaches eight times as far. */
const FIRST_REACH = 64
const LAST_SEQUENCE = Number.MAX_SAFE_INTEGER

interface Search {
  readonly level: Level
  /** Entries of the level that are wanted and not found yet. */
  wanted: number
  from: number
  reach: number
}

/** Finds the first entries of a queue by ranges that reach no further than they must. */
export class Queue {
  /** What was found, in queue order. */
  readonly rows: RunRow[] = []
  readonly #keys: KeySpace
  readonly #repository: RepositoryKey
  readonly #searches: Search[] = []

  constructor(keys: KeySpace, repository: RepositoryKey, levels: readonly Level[], wanted: number) {
    this.#keys = keys
    this.#repository = repository
    let left = Math.min(wanted, countOf(levels))
    for (const level of levels) {
      if (left <= 0) break
      const ofLevel = Math.min(left, level.count)
      this.#searches.push({
        level,
        wanted: ofLevel,
        from: level.first,
        reach: Math.max(FIRST_REACH, 2 * ofLevel),
      })
      left -= ofLevel
    }
  }

  /** What is to be read next; nothing when enough was found. */
  ranges(): IRequestOp[] {
    return this.#open().map(({ level: { high, low }, wanted, from, reach }) => {
      const first = this.#keys.entry(this.#repository, high, high === low ? from : undefined)
      const last = this.#keys.entry(
        this.#repository,
        low,
        high === low ? Math.min(from + reach, LAST_SEQUENCE) : undefined,
      )
      // Sorts after every sequence that may follow.
      return range(first, `${last}~`, { limit: wanted })
    })
  }

  /** What was read. */
  hear(answers: readonly IRangeResponse[]): void {
    for (const [at, search] of this.#open().entries()) {
      const rows = answers[at]?.kvs.map(runOf) ?? []
      this.rows.push(...rows)
      const isThrough = search.level.high !== search.level.low || search.from + search.reach >= LAST_SEQUENCE
      search.wanted = isThrough ? 0 : search.wanted - rows.length
      search.from += search.reach + 1
      search.reach *= 8
    }
    this.rows.sort(queueOrder)
  }

  #open(): Search[] {
    return this.#searches.filter(({ wanted }) => wanted > 0)
  }
}
