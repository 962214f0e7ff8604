import type { Watchers } from '@slotkeeper/core/driver'
import type { IEvent } from 'etcd3'
import type { KeySpace } from './keys.ts'

/** Everybody hears of a death at once; who sweeps first spares the others the work. */
const SPREAD_MS = 300

/** Says to those who watch in this process what the store tells of the keys below `watched/`. */
export class Hints {
  readonly #keys: KeySpace
  readonly #watchers: Watchers
  #sweep: NodeJS.Timeout | undefined

  constructor(keys: KeySpace, watchers: Watchers) {
    this.#keys = keys
    this.#watchers = watchers
  }

  /** A key below `watched/` was written or deleted. */
  hear({ type, kv }: IEvent): void {
    if (kv.key.toString().startsWith(this.#keys.event(''))) {
      if (type === 'Put') this.#watchers.hear(kv.value.toString())
    } else if (type === 'Delete') this.overdue(Math.random() * SPREAD_MS)
  }

  /** A sweep would find something; said once, however often it is known before. */
  overdue(afterMs: number): void {
    if (this.#sweep !== undefined) return
    this.#sweep = setTimeout(() => {
      this.#sweep = undefined
      this.#watchers.overdue()
    }, afterMs)
    this.#sweep.unref()
  }

  close(): void {
    clearTimeout(this.#sweep)
  }
}
