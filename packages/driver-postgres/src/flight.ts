import type { Connection, Submittable } from 'pg'
import type { Statement } from './statements.ts'

/** A value as it is sent: text, or nothing. */
export type Value = string | null
/** A row as it comes: text by column. */
export type Row = readonly (string | null)[]

/** A statement with its values. */
export interface Step {
  readonly statement: Statement
  readonly values?: readonly Value[]
}

/** A flight ended before its last step. `completed`: how many steps had; those that ended a transaction stand. */
export class FlightError extends Error {
  readonly completed: number
  readonly steps: readonly Step[]
  override readonly cause: unknown

  constructor(cause: unknown, completed: number, steps: readonly Step[]) {
    super(cause instanceof Error ? cause.message : String(cause))
    this.cause = cause
    this.completed = completed
    this.steps = steps
  }

  /** PostgreSQL's code, when it was PostgreSQL that refused; `undefined` when the connection failed. */
  get state(): string | undefined {
    const { code, severity } = this.cause as { code?: unknown; severity?: unknown }
    return typeof code === 'string' && severity !== undefined ? code : undefined
  }

  /** The step that failed. */
  get failed(): Statement | undefined {
    return this.steps[this.completed]?.statement
  }
}

/** What pg's connection does, as far as a flight needs it. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void }
  parse(message: { readonly name: string; readonly text: string }): void
  bind(message: {
    readonly portal: string
    readonly statement: string
    readonly values: readonly Value[]
    readonly valueMapper: (value: Value) => Value
  }): void
  execute(message: { readonly portal: string }): void
  close(message: { readonly type: 'S'; readonly name: string }): void
  sync(): void
}

/** Which statements a connection has, and which it may have. */
interface Prepared {
  readonly certain: Set<string>
  readonly doubtful: Set<string>
}

const prepared = new WeakMap<object, Prepared>()
const NONE: readonly Value[] = []

/**
 * Several statements in one round trip: each is bound and executed in its turn, and one Sync ends them all. Without a `BEGIN` among them
 * they are one transaction; the first failure leaves out the rest. Goes through `client.query` as pg's own queries do.
 */
export class Flight implements Submittable {
  readonly #steps: readonly Step[]
  readonly #prepares: boolean
  readonly #end: (error: FlightError | undefined, results: readonly (readonly Row[])[]) => void
  readonly #results: Row[][] = []
  readonly #parsed: (string | undefined)[] = []
  #rows: Row[] = []
  #known: Prepared | undefined

  /** @param prepares statements keep their names on the connection, so that it parses them once */
  constructor(
    steps: readonly Step[],
    prepares: boolean,
    end: (error: FlightError | undefined, results: readonly (readonly Row[])[]) => void,
  ) {
    this.#steps = steps
    this.#prepares = prepares
    this.#end = end
  }

  submit(connection: Connection): void {
    const wire = connection as unknown as Wire
    this.#known = prepared.get(connection)
    if (this.#known === undefined) {
      this.#known = { certain: new Set(), doubtful: new Set() }
      prepared.set(connection, this.#known)
    }
    wire.stream.cork()
    for (const { statement, values = NONE } of this.#steps) {
      const name = this.#prepares ? statement.name : ''
      if (this.#known.doubtful.delete(name)) wire.close({ type: 'S', name })
      const parses = name === '' || !this.#known.certain.has(name)
      if (parses) {
        wire.parse({ name, text: statement.text })
        if (name !== '') this.#known.certain.add(name)
      }
      this.#parsed.push(parses && name !== '' ? name : undefined)
      wire.bind({ portal: '', statement: name, values, valueMapper: same })
      wire.execute({ portal: '' })
    }
    wire.sync()
    wire.stream.uncork()
  }

  handleDataRow({ fields }: { readonly fields: Row }): void {
    this.#rows.push(fields)
  }

  handleCommandComplete(): void {
    this.#results.push(this.#rows)
    this.#rows = []
  }

  handleReadyForQuery(): void {
    this.#end(undefined, this.#results)
  }

  handleError(error: unknown): void {
    const completed = this.#results.length
    // Whether the step that failed was parsed before it failed is not told; those behind it were not.
    for (const [at, name] of this.#parsed.entries()) {
      if (name === undefined || at < completed) continue
      this.#known?.certain.delete(name)
      this.#known?.doubtful.add(name)
    }
    this.#end(new FlightError(error, completed, this.#steps), this.#results)
  }

  handleRowDescription(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
}

function same(value: Value): Value {
  return value
}
