import type pg from 'pg'
import { Flight, FlightError, type Row, type Step } from './flight.ts'

/** A connection while somebody works with it. */
export interface Wire {
  /** Sends statements in one round trip, and answers the rows of each. Throws a FlightError. */
  run(steps: readonly Step[]): Promise<readonly (readonly Row[])[]>
}

/** What PostgreSQL says when a name is not prepared on this connection, or is already: somebody shares it out between statements. */
const NOT_OURS = new Set(['26000', '42P05'])

/** The connections that calls take turns on. */
export class Connections {
  readonly #pool: pg.Pool
  /** Behind a pooler that shares connections out between transactions nothing stays prepared. */
  #prepares = true

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Whether statements stay prepared; false once the server's connections turned out not to be one's own. */
  get prepares(): boolean {
    return this.#prepares
  }

  /** One flight on a connection of its own. */
  send(steps: readonly Step[], signal?: AbortSignal): Promise<readonly (readonly Row[])[]> {
    return this.use((wire) => wire.run(steps), signal)
  }

  /**
   * Lends a connection. When `work` fails in any way but by an error of the server, or the signal aborts, the connection is thrown away,
   * which ends its transaction.
   */
  async use<T>(work: (wire: Wire) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const client = await this.#take(signal)
    let isBroken = false
    const onError = () => {
      isBroken = true
    }
    const onAbort = () => {
      isBroken = true
      cut(client)
    }
    client.on('error', onError)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await work({ run: (steps) => this.#fly(client, steps) })
    } catch (error) {
      if (!(error instanceof FlightError) || error.state === undefined) isBroken = true
      throw signal?.aborted === true ? signal.reason : error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      client.removeListener('error', onError)
      if (isBroken) client.once('error', nothing)
      client.release(isBroken)
    }
  }

  async #take(signal: AbortSignal | undefined): Promise<pg.PoolClient> {
    signal?.throwIfAborted()
    const taken = this.#pool.connect()
    if (signal === undefined) return await taken
    return await new Promise((resolve, reject) => {
      const onAbort = () => {
        taken.then((client) => client.release(), nothing)
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      taken.then(
        (client) => {
          signal.removeEventListener('abort', onAbort)
          if (!signal.aborted) resolve(client)
        },
        (error: unknown) => {
          signal.removeEventListener('abort', onAbort)
          reject(error)
        },
      )
    })
  }

  #fly(client: pg.PoolClient, steps: readonly Step[]): Promise<readonly (readonly Row[])[]> {
    return new Promise((resolve, reject) => {
      client.query(
        new Flight(steps, this.#prepares, (error, results) => {
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
