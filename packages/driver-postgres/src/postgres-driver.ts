import { randomUUID } from 'node:crypto'
import {
  type Decide,
  type DomainBatch,
  type Driver,
  type Health,
  type HolderId,
  type HolderTerm,
  InternalError,
  type Logger,
  ManagerClosedError,
  type Manifest,
  type OpenOptions,
  type Query,
  type Snapshot,
  type Sweep,
  silentLogger,
  type WatchEvent,
  Watchers,
  type WatchOptions,
} from '@slotkeeper/core/driver'
import { storeFailure as coded, connectionOptions } from '@slotkeeper/migrations/connection'
import { Connections } from './connections.ts'
import { lookForHints } from './hints.ts'
import { ask, closeHolder, heartbeat, type Keeping, openHolder } from './holders.ts'
import { Lanes } from './lanes.ts'
import { Listener } from './listener.ts'
import { openStore } from './open-store.ts'
import { type PostgresDriverOptions, type Settled, settleOptions } from './options.ts'
import { readSnapshot } from './read-snapshot.ts'
import { channelOf, lockSeedOf } from './sql-names.ts'
import { type Statements, statementsOf } from './statements.ts'
import { sweepStore } from './sweep.ts'
import { type Deciding, rollBack, transact } from './transact.ts'

const MANIFEST: Manifest = Object.freeze({
  scope: 'network',
  synchronous: false,
  wakes: 'push',
  minimumTtlMs: 500,
  clockLagMs: 0,
  budget: 512,
  backstopMs: 5000,
})

/**
 * Makes the driver of a PostgreSQL database, which everybody who can reach it shares. Nothing is connected before the Manager opens it.
 * @throws SlotkeeperError `SLOTKEEPER_INVALID_ARGUMENT` for an option that cannot be meant
 * @example
 * const manager = new Manager({ driver: postgresDriver({ connectionString: 'postgresql://app@db.example/app' }) })
 */
export function postgresDriver(options: PostgresDriverOptions): Driver {
  return new PostgresDriver(settleOptions(options))
}

interface Open {
  readonly connections: Connections
  readonly keeping: Keeping
  /** For heartbeats alone, which must not wait for decisions. */
  readonly beating: Keeping
  readonly lanes: Lanes
  readonly watchers: Watchers
  readonly listener: Listener
}

class PostgresDriver implements Driver {
  readonly name = 'postgresql'
  readonly manifest: Manifest
  readonly #options: Settled
  readonly #sql: Statements
  #opened: Open | undefined
  #closed = false

  constructor(options: Settled) {
    this.#options = options
    this.#sql = statementsOf(options.schema)
    this.manifest = options.listen ? MANIFEST : { ...MANIFEST, wakes: 'poll' }
  }

  async open({ schema, logger = silentLogger }: OpenOptions, signal?: AbortSignal): Promise<void> {
    if (this.#closed) throw closed()
    const opened = this.#equip(logger)
    try {
      await openStore(
        { ...this.#options, pool: opened.connections.pool, keeping: opened.keeping },
        schema,
        signal,
      )
      this.#opened = opened
    } catch (error) {
      await this.#end(opened)
      throw coded(signal?.aborted === true ? signal.reason : error, 'The store cannot be opened')
    }
    if (this.#closed) await this.close()
  }

  async transact(batch: readonly DomainBatch[], decide: Decide, signal?: AbortSignal): Promise<void> {
    await this.#get().lanes.take(batch, decide, signal)
  }

  read(query: Query, signal?: AbortSignal): Promise<Snapshot> {
    return this.#call('The store cannot be read', signal, (keeping) => readSnapshot(keeping, query, signal))
  }

  openHolder(holder: HolderId, ttlMs: number, signal?: AbortSignal): Promise<HolderTerm> {
    return this.#call('A holder cannot be opened', signal, (keeping) =>
      openHolder(keeping, holder, ttlMs, signal),
    )
  }

  heartbeat(holder: HolderId, signal?: AbortSignal): Promise<HolderTerm> {
    return this.#call('A heartbeat failed', signal, (_, beating) => heartbeat(beating, holder, signal))
  }

  closeHolder(holder: HolderId, signal?: AbortSignal): Promise<void> {
    return this.#call('A holder cannot be closed', signal, (keeping) => closeHolder(keeping, holder, signal))
  }

  sweep(budget: number, signal?: AbortSignal): Promise<Sweep> {
    return this.#call('A sweep failed', signal, (keeping) => sweepStore(keeping, budget, signal))
  }

  watch(options: WatchOptions): AsyncIterable<WatchEvent> {
    return this.#get().watchers.add(options)
  }

  async health(signal?: AbortSignal): Promise<Health> {
    const { keeping, listener } = this.#get()
    try {
      const [row] = await ask(keeping, [{ statement: this.#sql.about }], signal)
      return {
        ok: true,
        detail: `PostgreSQL ${row?.[1]}, schema ${this.#options.schema}, ${listener.describe}`,
      }
    } catch (error) {
      return { ok: false, detail: coded(error, 'The store cannot be read').message }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const opened = this.#opened
    this.#opened = undefined
    if (opened !== undefined) await this.#end(opened)
  }

  async #end({ watchers, listener, connections, beating }: Open): Promise<void> {
    watchers.close()
    listener.stop()
    await Promise.all([connections, beating.connections].map((each) => each.close(closed())))
  }

  async #call<T>(
    doing: string,
    signal: AbortSignal | undefined,
    work: (keeping: Keeping, beating: Keeping) => Promise<T>,
  ): Promise<T> {
    const { keeping, beating } = this.#get()
    try {
      return await work(keeping, beating)
    } catch (error) {
      throw coded(signal?.aborted === true ? signal.reason : error, doing)
    }
  }

  #equip(logger: Logger): Open {
    const { schema, lockTimeoutMs, history, listen, maxConnections } = this.#options
    const { pool } = this.#options
    const config = pool?.options ?? connectionOptions(this.#options.connection)
    const sql = this.#sql
    // A pool hides its password from copies of its options.
    const own = (max: number) => ({ config: { ...config, password: config.password, max } })
    const serving = { sql, lockTimeoutMs, onSilence: () => void listener.check() }
    const connections = new Connections(pool === undefined ? own(maxConnections) : { pool }, serving)
    const beating = { connections: new Connections(own(1), serving), sql }
    const origin = randomUUID()
    const channel = channelOf(schema)
    const keeping: Keeping = { connections, sql }
    const watchers = new Watchers({
      origin,
      onFirst: () => listener.start(),
      onLast: () => listener.stop(),
    })
    const listener = new Listener({
      config,
      channel,
      listen,
      logger,
      notify: async (payload) => {
        await ask(
          keeping,
          [{ statement: sql.notify, values: [channel, JSON.stringify([payload])] }],
          undefined,
        )
      },
      onBegin: () => watchers.begin(),
      onPause: () => watchers.pause(),
      look: (since) => lookForHints(keeping, since),
      onGap: () => watchers.resync(),
      onNotification: (payload) => watchers.hear(payload),
    })
    const deciding: Deciding = {
      ...{ connections, sql, channel, origin, history, logger, coded },
      manifest: this.manifest,
      lockSeed: lockSeedOf(schema),
      busy: new Set(),
      recordTtlMs: new WeakMap(),
      rolledBack: (wire, error) => rollBack(sql, wire, error),
      mayHaveMissed: () => watchers.resync(),
    }
    const lanes = new Lanes(
      (works, signal) => transact(deciding, works, signal),
      (error, domain) => coded(error, `${domain} cannot be decided`),
    )
    return { connections, keeping, beating, lanes, watchers, listener }
  }

  #get(): Open {
    if (this.#opened !== undefined) return this.#opened
    throw this.#closed ? closed() : new InternalError('The PostgreSQL driver was used before it was opened.')
  }
}

function closed(): ManagerClosedError {
  return new ManagerClosedError('The PostgreSQL driver is closed. Make a new one to go on.')
}
