const REDACTED = '[secret]'
/** Node.js' convention for objects that print themselves; spelled so that nothing of Node.js is imported. */
const inspect: unique symbol = Symbol.for('nodejs.util.inspect.custom')

/**
 * A password that shows itself to nobody who does not ask: text, JSON, `util.inspect` and `console.log` of it, and of anything
 * that holds it, say `[secret]`.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The password itself. Call it where the password is sent, and keep the answer nowhere. */
  reveal(): string {
    return this.#text
  }

  /** Text without the password. */
  toString(): string {
    return REDACTED
  }

  /** The same in JSON. */
  toJSON(): string {
    return REDACTED
  }

  /** The same for debuggers and `console.log`. */
  [inspect](): string {
    return REDACTED
  }
}
