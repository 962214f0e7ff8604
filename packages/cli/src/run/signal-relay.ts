import { constants } from 'node:os'

/** What asks a command to end. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
const OTHERS = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const
/** Do nothing to a process that does not handle them. */
const HARMLESS: ReadonlySet<NodeJS.Signals> = new Set(['SIGWINCH'])

/** A wait was ended by a signal. */
export class Interruption extends Error {
  readonly signal: NodeJS.Signals

  constructor(signal: NodeJS.Signals) {
    super(`Interrupted by ${signal}.`)
    this.name = 'Interruption'
    this.signal = signal
  }
}

/** The exit code that shells give a process which a signal ended. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}

/**
 * Takes the signals that this process gets. Until a command is there, one of them interrupts the wait, and a second one ends the
 * process at once; from then on the command gets them.
 */
export class SignalRelay {
  readonly #controller = new AbortController()
  #pass: ((signal: NodeJS.Signals) => void) | undefined
  #asked = false

  constructor() {
    for (const signal of [...ENDING, ...OTHERS]) process.on(signal, () => this.#got(signal))
  }

  /** Aborts with an Interruption when a signal comes before there is a command. */
  get interrupted(): AbortSignal {
    return this.#controller.signal
  }

  /** Whether the command was asked to end by a signal. */
  get hasAskedToEnd(): boolean {
    return this.#asked
  }

  /** Whoever gets the signals from now on. Ctrl-Z stops nobody then: a lease goes on while its command is stopped. */
  passTo(pass: (signal: NodeJS.Signals) => void): void {
    this.#pass = pass
    process.on('SIGTSTP', () => {})
  }

  #got(signal: NodeJS.Signals): void {
    if (this.#pass !== undefined) {
      if ((ENDING as readonly NodeJS.Signals[]).includes(signal)) this.#asked = true
      this.#pass(signal)
    } else if (!HARMLESS.has(signal)) {
      if (this.#controller.signal.aborted) process.exit(exitCodeOfSignal(signal))
      this.#controller.abort(new Interruption(signal))
    }
  }
}
