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

/**
 * Any text of SQL as one message of the simple protocol: the server takes it apart, so quotes, comments and dollars are what they are
 * for it. pg's own query would keep all rows that the text selects, and would not tell how far it came.
 */
export class Script implements pg.Submittable {
  readonly done: Promise<void>
  readonly #text: string
  #completed = 0
  #resolve!: () => void
  #reject!: (error: ScriptError) => void

  constructor(text: string) {
    this.#text = text
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
    this.#reject(new ScriptError(error, this.#completed))
  }

  handleReadyForQuery(): void {
    this.#resolve()
  }

  /** `COPY … FROM stdin` has its data in no file that a server could read. */
  handleCopyInResponse(connection: pg.Connection): void {
    const { sendCopyFail } = connection as unknown as { sendCopyFail(message: string): void }
    sendCopyFail.call(connection, 'a migration cannot bring data for COPY FROM stdin; write INSERT')
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handleCopyData(): void {}
}
