import type { Watchers } from '@slotkeeper/core/driver'
import type { IEvent, IKeyValue } from 'etcd3'
import type { KeySpace } from './keys.ts'
import { keyOf } from './operations.ts'
import type { SharedDomains } from './shared-domains.ts'

/** Everybody hears of a death at once; who sweeps first spares the others the work. */
const SPREAD_MS = 300

/** Says to those who watch in this process what the store tells of the keys below `watched/`. */
export class Hints {
  readonly #keys: KeySpace
  readonly #watchers: Watchers
  readonly #shared: SharedDomains
  /** What was heard in this turn of the event loop. */
  #heard: IKeyValue[] = []
  #sweep: NodeJS.Timeout | undefined

  constructor(keys: KeySpace, watchers: Watchers, shared: SharedDomains) {
    this.#keys = keys
    this.#watchers = watchers
    this.#shared = shared
  }

  /** A key below `watched/` was written or deleted. */
  hear({ type, kv }: IEvent): void {
    if (!keyOf(kv).startsWith(this.#keys.event(''))) {
      if (type === 'Delete') this.overdue(Math.random() * SPREAD_MS)
    } else if (type === 'Put' && this.#heard.push(kv) === 1) setImmediate(this.#tell)
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

  /** A document that is followed comes with the hint, before or after it: whoever hears of the hint shall find it. */
  readonly #tell = (): void => {
    const heard = this.#heard
    this.#heard = []
    for (const kv of heard) {
      this.#shared.hinted(keyOf(kv).slice(this.#keys.event('').length), Number(kv.mod_revision))
      this.#watchers.hear(kv.value.toString())
    }
  }
}
