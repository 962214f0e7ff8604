import type { Command } from '@slotkeeper/core/driver'

/** Values that say nothing, so that a line has only what matters. */
const USUAL: Readonly<Record<string, unknown>> = {
  mode: 'wait',
  durable: false,
  priority: 0,
  maxHoldMs: 0,
  validUntil: 0,
  orphan: false,
  delayMs: 0,
}

/** Times that every acquire has. */
const LEFT_OUT = new Set([
  'kind',
  'repository',
  'run',
  'outcome',
  'claimTimeoutMs',
  'leaseTtlMs',
  'row',
  'since',
])

/** What was done, in words, a line each. Tokens are named in the order in which they appear, for they are long. */
export class Transcript {
  readonly lines: string[] = []
  readonly #tokens = new Map<number, string>()
  #steps = 0

  /** Begins a step. */
  step(text: string): void {
    this.lines.push(`${String(++this.#steps).padStart(3)}. ${text}`)
  }

  /** Adds to the step. */
  note(text: string): void {
    this.lines.push(`     ${text}`)
  }

  /** A command and what the driver answered. */
  command(command: Command): void {
    const { kind, outcome } = command
    const of = 'run' in command ? ` ${JSON.stringify(command.run)}` : ''
    const answer = outcome === undefined ? 'no outcome' : `${outcome.kind}${this.#fields(outcome as object)}`
    this.note(`${kind}${of}${this.#fields(command)} → ${answer}`)
  }

  #fields(of: object): string {
    const shown = Object.entries(of).flatMap(([name, value]) =>
      value === undefined || LEFT_OUT.has(name) || USUAL[name] === value
        ? []
        : `${name} ${this.#value(name, value)}`,
    )
    return shown.length === 0 ? '' : ` (${shown.join(', ')})`
  }

  #value(name: string, value: unknown): string {
    if ((name === 'token' || name === 'freed') && typeof value === 'number' && value > 0)
      return this.#token(value)
    return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  }

  #token(token: number): string {
    const known = this.#tokens.get(token)
    if (known !== undefined) return known
    const name = `t${this.#tokens.size + 1}`
    this.#tokens.set(token, name)
    return name
  }
}
