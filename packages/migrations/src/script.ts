import { randomBytes } from 'node:crypto'
import type pg from 'pg'

/** Why a script stopped: what the server or the connection said, and how many of its statements had ended well before, if not all. */
export class ScriptError extends Error {
  override readonly cause: unknown
  readonly completed: number | undefined

  constructor(cause: unknown, completed?: number) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'ScriptError'
    this.cause = cause
    this.completed = completed
  }
}

/** The values of a row as text, as the protocol brings them. */
export type Cells = readonly (string | null)[]

/**
 * Any text of SQL as one message of the simple protocol: the server takes it apart, so quotes, comments and dollars are what they are
 * for it. pg's own query would keep all rows that the text selects, and would not tell how far it came.
 *
 * Statements of ours may follow it in the same message. A row with a mark tells where they begin. A text that ends inside a string or a
 * comment cannot make the server take them for its own: the whole is no SQL then, and nothing of it runs.
 */
export class Script implements pg.Submittable {
  /** The rows of the statements that follow. */
  readonly done: Promise<readonly Cells[]>
  readonly #text: string
  readonly #mark = `slotkeeper_${randomBytes(8).toString('hex')}`
  readonly #rows: Cells[] = []
  #completed = 0
  #isOver = false
  #resolve!: (rows: readonly Cells[]) => void
  #reject!: (error: ScriptError) => void

  constructor(text: string, following?: string) {
    this.#text = following === undefined ? text : `${text}\n;\nSELECT '${this.#mark}'; ${following}`
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  submit(connection: pg.Connection): void {
    connection.query(this.#text)
  }

  handleCommandComplete(): void {
    this.#completed++
  }

  handleError(error: unknown): void {
    this.#reject(new ScriptError(error, this.#isOver ? undefined : this.#completed))
  }

  handleReadyForQuery(): void {
    this.#resolve(this.#rows)
  }

  handleDataRow({ fields }: { readonly fields: Cells }): void {
    if (this.#isOver) this.#rows.push(fields)
    else if (fields.length === 1 && fields[0] === this.#mark) this.#isOver = true
  }

  /** `COPY … FROM stdin` has its data in no file that a server could read. */
  handleCopyInResponse(connection: pg.Connection): void {
    const { sendCopyFail } = connection as unknown as { sendCopyFail(message: string): void }
    sendCopyFail.call(connection, 'a migration cannot bring data for COPY FROM stdin; write INSERT')
  }

  handleRowDescription(): void {}
  handleEmptyQuery(): void {}
  handleCopyData(): void {}
}
