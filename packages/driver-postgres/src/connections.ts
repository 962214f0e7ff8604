import { isSlotkeeperError } from '@slotkeeper/core/driver'
import pg from 'pg'
import { Flight, FlightError, type Row, type Step } from './flight.ts'
import type { Statements } from './statements.ts'

/** A connection while somebody works with it. */
export interface Wire {
  /** The same as `run`, for those that begin something: under the driver's settings. */
  begin(steps: readonly Step[]): Promise<readonly (readonly Row[])[]>
  /** The same in a transaction of their own, `READ COMMITTED`, which is over then. */
  atomic(steps: readonly Step[]): Promise<readonly (readonly Row[])[]>
  /** Sends statements in one round trip, and answers the rows of each. Throws a FlightError. */
  run(steps: readonly Step[]): Promise<readonly (readonly Row[])[]>
}

/** What PostgreSQL says when a name is not prepared on this connection, or is already: somebody shares it out between statements. */
const NOT_OURS = new Set(['26000', '42P05'])
/** A transaction whose process stands still is ended by the server after this, in ms, so that its locks hold up nobody for long. */
const IDLE_MS = 5000
/** How long a connection that nobody needs is kept, in ms: longer than from one heartbeat to the next. */
const KEPT_MS = 60_000
/** How long the server is given to hear that a connection ends, in ms. */
const FAREWELL_MS = 500

/** What connections serve. */
interface Serving {
  readonly sql: Statements
  readonly lockTimeoutMs: number
  /** A call had no answer in time. */
  readonly onSilence: () => void
}

/** The connections that calls take turns on. */
export class Connections {
  readonly #pool: pg.Pool
  /** A pool of somebody else's stays open. */
  readonly #isOwn: boolean
  /** Our own, from the moment at which they begin to connect. */
  readonly #clients = new Set<pg.Client>()
  /** Ends the calls under way. */
  readonly #underway = new Set<(reason: unknown) => void>()
  readonly #sql: Statements
  readonly #lockTimeoutMs: number
  readonly #onSilence: () => void
  readonly #met = new WeakSet<pg.PoolClient>()
  /** Connections that nobody else uses, and that have the settings therefore for good. */
  readonly #settled = new WeakSet<pg.PoolClient>()
  /** How often a call had no answer in time, and how often that was when a connection answered last. */
  #silences = 0
  readonly #answered = new WeakMap<pg.PoolClient, number>()
  /** Behind a pooler that shares connections out between transactions nothing stays prepared. */
  #prepares = true

  constructor(
    options: { readonly pool: pg.Pool } | { readonly config: pg.PoolConfig },
    { sql, lockTimeoutMs, onSilence }: Serving,
  ) {
    this.#onSilence = onSilence
    this.#sql = sql
    this.#lockTimeoutMs = lockTimeoutMs
    this.#isOwn = !('pool' in options)
    if ('pool' in options) {
      this.#pool = options.pool
      return
    }
    const clients = this.#clients
    class Client extends pg.Client {
      constructor(config?: pg.ClientConfig) {
        super(config)
        clients.add(this)
        this.once('end', () => clients.delete(this))
        this.on('error', nothing)
      }
    }
    this.#pool = new pg.Pool({ idleTimeoutMillis: KEPT_MS, ...options.config, Client })
    // A connection that breaks while nobody uses it is replaced when one is needed.
    this.#pool.on('error', nothing)
  }

  get pool(): pg.Pool {
    return this.#pool
  }

  /** One flight on a connection of its own, in one transaction. */
  send(steps: readonly Step[], signal?: AbortSignal): Promise<readonly (readonly Row[])[]> {
    return this.use((wire) => wire.atomic(steps), signal)
  }

  /**
   * Lends a connection. When `work` fails in any way but by an error of the server, or the signal aborts, the connection is thrown away,
   * which ends its transaction.
   */
  async use<T>(work: (wire: Wire) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    let client: pg.PoolClient | undefined
    let isBroken = false
    let stop = (_reason: unknown) => {}
    const stopped = new Promise<never>((_, reject) => {
      stop = (reason) => {
        isBroken = true
        if (client !== undefined) cut(client)
        if (isSlotkeeperError(reason, 'SLOTKEEPER_CALL_TIMEOUT')) {
          this.#silences++
          this.#onSilence()
        }
        reject(reason)
      }
    })
    stopped.catch(nothing)
    const onAbort = () => stop(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#underway.add(stop)
    const onError = () => {
      isBroken = true
    }
    try {
      client = await this.#take(stopped, onError)
      const taken = client
      const wire: Wire = {
        begin: (steps) => this.#begin(taken, steps),
        atomic: (steps) => this.#atomic(taken, steps),
        run: (steps) => this.#fly(taken, steps),
      }
      return await Promise.race([work(wire), stopped])
    } catch (error) {
      if (!(error instanceof FlightError) || error.state === undefined) isBroken = true
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#underway.delete(stop)
      if (client !== undefined) {
        client.removeListener('error', onError)
        if (isBroken) {
          client.on('error', nothing)
          cut(client)
        }
        client.release(isBroken)
      }
    }
  }

  /** Ends the calls under way with `reason`, and the connections unless they are somebody else's. */
  async close(reason: unknown): Promise<void> {
    for (const stop of this.#underway) stop(reason)
    if (!this.#isOwn) return
    // A server that stands still says nothing any more.
    const timer = setTimeout(() => {
      for (const client of this.#clients) cut(client)
    }, FAREWELL_MS).unref()
    try {
      await this.#pool.end()
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * A connection that `onError` listens to. After a call without an answer those that have had nothing to answer since are not trusted: whatever
   * silenced the one, such as a failover, may have silenced them, and each would cost a call its whole time.
   */
  async #take(stopped: Promise<never>, onError: () => void): Promise<pg.PoolClient> {
    for (;;) {
      const client = await this.#lent(stopped, onError)
      const answered = this.#answered.get(client)
      if (answered === undefined || answered === this.#silences) return client
      client.removeListener('error', onError)
      client.on('error', nothing)
      cut(client)
      client.release(true)
    }
  }

  /** A server may end a connection in the same breath in which it accepts it, so it is listened to before anything else is done. */
  #lent(stopped: Promise<never>, onError: () => void): Promise<pg.PoolClient> {
    return new Promise((resolve, reject) => {
      let isOver = false
      stopped.catch((reason) => {
        isOver = true
        reject(reason)
      })
      this.#pool.connect((error, client) => {
        if (client === undefined) return reject(error)
        // It came about all the same, and is not needed any more.
        if (isOver) return client.release()
        client.on('error', onError)
        resolve(client)
      })
    })
  }

  async #begin(client: pg.PoolClient, steps: readonly Step[]): Promise<readonly (readonly Row[])[]> {
    if (!this.#met.has(client)) await this.#meet(client)
    if (this.#settled.has(client)) return await this.#fly(client, steps)
    // Inside of the transaction that they begin, if they do.
    const after = steps[0]?.statement === this.#sql.begin ? 1 : 0
    const answers = await this.#fly(client, steps.toSpliced(after, 0, this.#settings(true)))
    return answers.toSpliced(after, 1)
  }

  async #atomic(client: pg.PoolClient, steps: readonly Step[]): Promise<readonly (readonly Row[])[]> {
    if (!this.#met.has(client)) await this.#meet(client)
    // Whatever is sent with one Sync is one transaction, of the kind that the settings of our own connections say.
    if (this.#settled.has(client)) return await this.#fly(client, steps)
    const { begin, commit, rollback } = this.#sql
    try {
      const answers = await this.#begin(client, [{ statement: begin }, ...steps, { statement: commit }])
      return answers.slice(1, -1)
    } catch (error) {
      if (error instanceof FlightError && error.state !== undefined)
        await this.#fly(client, [{ statement: rollback }])
      throw error
    }
  }

  /** Finds out whether a connection is to one process of the server, and settles it if it is nobody else's. */
  async #meet(client: pg.PoolClient): Promise<void> {
    const [[row] = []] = await this.#fly(client, [{ statement: this.#sql.whoServes }], false)
    this.#met.add(client)
    if (Number(row?.[0]) !== (client as unknown as { readonly processID: number }).processID)
      this.#prepares = false
    else if (this.#isOwn) {
      await this.#fly(client, [this.#settings(false)])
      this.#settled.add(client)
    }
  }

  #settings(isLocal: boolean): Step {
    return {
      statement: this.#sql.settings,
      values: [String(this.#lockTimeoutMs), String(IDLE_MS), String(isLocal)],
    }
  }

  #fly(
    client: pg.PoolClient,
    steps: readonly Step[],
    prepares = this.#prepares,
  ): Promise<readonly (readonly Row[])[]> {
    return new Promise((resolve, reject) => {
      client.query(
        new Flight(steps, prepares, (error, results) => {
          if (error === undefined || error.state !== undefined) this.#answered.set(client, this.#silences)
          if (error === undefined) return resolve(results)
          if (NOT_OURS.has(error.state ?? '')) this.#prepares = false
          reject(error)
        }),
      )
    })
  }
}

/** Ends a connection at once, whatever it is doing. */
export function cut(client: pg.ClientBase): void {
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } }
  connection.stream.destroy()
}

function nothing(): void {}
