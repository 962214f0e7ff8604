import type { Logger } from '@slotkeeper/core'
import type pg from 'pg'
import { askOnce } from './ask-once.ts'
import type { Connection } from './database.ts'
import { type Cells, Script } from './script.ts'
import { heard } from './silence.ts'
import { sqlStateOf, storeFailure } from './store-failure.ts'

/** A cancelled statement ends within milliseconds; a server that does not answer must not keep this process. */
const CANCEL_MS = 5_000
const CLIENT_CHECK = 'client_connection_check_interval = 5000'

/** One connection, its statements one after the other, all of them ended when the signal aborts. */
export class Session {
  readonly #connection: Connection
  readonly #signal: AbortSignal | undefined
  readonly #stop: () => void
  #pid: number | undefined
  #canWatch = false

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

  /**
   * Finds out whether the server can look for its client while it works for it. One that only notices when it sends an answer keeps the
   * lock of a killed process until then. To be called before `watchClient`.
   */
  async learnToWatch(): Promise<void> {
    try {
      await this.query(`SET LOCAL ${CLIENT_CHECK}`, 'The session cannot be prepared')
      this.#canWatch = true
    } catch (error) {
      // It came with version 14, and not for every system.
      if (sqlStateOf((error as { cause?: unknown }).cause) === undefined) throw error
    }
  }

  /** SQL by which the server gives up a client that is gone: for a transaction, or for the session, which also ends when nothing comes. */
  watchClient(set: 'SET' | 'SET LOCAL'): string {
    if (!this.#canWatch) return ''
    return set === 'SET'
      ? `SET ${CLIENT_CHECK}; SET idle_session_timeout = 60000;`
      : `${set} ${CLIENT_CHECK};`
  }

  /**
   * Statements of ours, in one message; answers the rows of each.
   * @throws the signal's reason, or the failure of the store
   */
  async query(text: string, what: string): Promise<Record<string, unknown>[][]> {
    this.#signal?.throwIfAborted()
    try {
      const results = (await this.#answer(this.#connection.client.query(text))) as unknown as
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
   * A file, sent as it is, and in the same message statements of ours that shall follow. Its rows are thrown away, theirs are the answer.
   * @throws the signal's reason, or a ScriptError, which knows no number of statements when the file was over
   */
  async run(text: string, following?: string): Promise<readonly Cells[]> {
    this.#signal?.throwIfAborted()
    const script = new Script(text, following)
    this.#connection.client.query(script)
    try {
      return await this.#answer(script.done)
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

  #answer<T>(answer: Promise<T>): Promise<T> {
    return heard(this.#connection, this.#pid, answer)
  }

  async #cancel(): Promise<void> {
    const { client, config } = this.#connection
    const { stream } = (client as pg.Client).connection
    const giveUp = setTimeout(() => stream.destroy(), CANCEL_MS).unref()
    client.once('end', () => clearTimeout(giveUp))
    if (this.#pid === undefined) return
    try {
      await askOnce(config, `SELECT pg_cancel_backend(${this.#pid})`, CANCEL_MS)
    } catch {
      stream.destroy() // without its connection the server rolls back just as well
    }
  }
}
