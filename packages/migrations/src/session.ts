import type { Logger } from '@slotkeeper/core'
import pg from 'pg'
import type { Connection } from './database.ts'
import { Script } from './script.ts'
import { storeFailure } from './store-failure.ts'

/** A cancelled statement ends within milliseconds; a server that does not answer must not keep this process. */
const CANCEL_MS = 5_000

/** One connection, its statements one after the other, all of them ended when the signal aborts. */
export class Session {
  readonly #connection: Connection
  readonly #signal: AbortSignal | undefined
  readonly #stop: () => void
  #pid: number | undefined

  constructor(connection: Connection, logger: Logger, signal: AbortSignal | undefined) {
    this.#connection = connection
    this.#signal = signal
    this.#stop = () => void this.#cancel()
    signal?.addEventListener('abort', this.#stop)
    connection.client.on('notice', ({ message, severity }) => logger.debug({ severity }, String(message)))
  }

  /** Which statement is to be cancelled on an abort: those of this backend. */
  set pid(pid: number) {
    this.#pid = pid
  }

  /** Where the session is: in no transaction, in one, or in one that has failed. */
  get isInTransaction(): boolean {
    return (this.#connection.client as pg.Client).getTransactionStatus() === 'T'
  }

  /**
   * Statements of ours, in one message; answers the rows of each.
   * @throws the signal's reason, or the failure of the store
   */
  async query(text: string, what: string): Promise<Record<string, unknown>[][]> {
    this.#signal?.throwIfAborted()
    try {
      const results = (await this.#connection.client.query(text)) as unknown as
        | pg.QueryResult
        | pg.QueryResult[]
      return (Array.isArray(results) ? results : [results]).map(
        ({ rows }) => rows as Record<string, unknown>[],
      )
    } catch (error) {
      this.#signal?.throwIfAborted()
      throw storeFailure(error, what)
    }
  }

  /**
   * A file, sent as it is. Rows are thrown away.
   * @throws the signal's reason, or a ScriptError
   */
  async run(text: string): Promise<void> {
    this.#signal?.throwIfAborted()
    const script = new Script(text)
    this.#connection.client.query(script)
    try {
      await script.done
    } catch (error) {
      this.#signal?.throwIfAborted()
      throw error
    }
  }

  /** Leaves whatever transaction there is to be rolled back by the server. */
  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#stop)
    await this.#connection.close()
  }

  async #cancel(): Promise<void> {
    const { client, config } = this.#connection
    const { stream } = (client as pg.Client).connection
    const giveUp = setTimeout(() => stream.destroy(), CANCEL_MS)
    client.once('end', () => clearTimeout(giveUp))
    if (this.#pid === undefined) return
    const other = new pg.Client({ ...config, connectionTimeoutMillis: CANCEL_MS })
    other.on('error', () => stream.destroy())
    try {
      await other.connect()
      await other.query(`SELECT pg_cancel_backend(${this.#pid})`)
    } catch {
      stream.destroy() // without its connection the server rolls back just as well
    } finally {
      await other.end().catch(() => stream.destroy())
    }
  }
}
