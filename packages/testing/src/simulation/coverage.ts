/** What can go wrong around a call. */
export const FAULTS = [
  'crash',
  'restart-all',
  'stall',
  'suspend',
  'partition',
  'deaf',
  'lost-request',
  'lost-answer',
  'duplicate',
  'delay',
  'outage',
  'conflict',
  'hint-dropped',
  'hint-late',
] as const
/** Something that can go wrong around a call. */
export type Fault = (typeof FAULTS)[number]

/** The calls that go to the store: kinds of commands, and the rest. */
export const CALLS = [
  'acquire-try',
  'acquire-wait',
  'acquire-enqueue',
  'claim',
  'adopt',
  'requeue',
  'release',
  'finish',
  'withdraw',
  'remove',
  'run-state',
  'repository-state',
  'limit',
  'remove-repository',
  'watch',
  'tidy',
  'read',
  'sweep',
  'open-holder',
  'heartbeat',
  'close-holder',
] as const
/** A call that goes to the store. */
export type Call = (typeof CALLS)[number]

const COMMANDS: readonly Call[] = CALLS.slice(0, CALLS.indexOf('read'))

/** Whether a fault can meet a call at all. */
export function isReachable(fault: Fault, call: Call): boolean {
  switch (fault) {
    // Only decisions can conflict, and be delivered again: a repeated reading changes nothing.
    case 'conflict':
    case 'duplicate':
      return COMMANDS.includes(call)
    // Hints tell of commits. Asking to watch changes no run.
    case 'hint-dropped':
    case 'hint-late':
      return COMMANDS.includes(call) && call !== 'watch'
    default:
      return true
  }
}

/** How often each fault met each call. */
export class Coverage {
  readonly #counts = new Map<string, number>()

  /** Counts that a fault met these calls. */
  add(fault: Fault, calls: readonly Call[]): void {
    for (const call of calls) {
      const cell = `${fault} ${call}`
      this.#counts.set(cell, (this.#counts.get(cell) ?? 0) + 1)
    }
  }

  /** How often a fault met a call. */
  count(fault: Fault, call: Call): number {
    return this.#counts.get(`${fault} ${call}`) ?? 0
  }

  /** Adds what another one has counted. */
  merge(other: Coverage): void {
    for (const [cell, count] of other.#counts) this.#counts.set(cell, (this.#counts.get(cell) ?? 0) + count)
  }

  /** The cells that can be reached and were not. */
  get missing(): readonly string[] {
    return FAULTS.flatMap((fault) =>
      CALLS.filter((call) => isReachable(fault, call) && this.count(fault, call) === 0).map(
        (call) => `${fault} × ${call}`,
      ),
    )
  }

  /** One line: how much of the fault space was reached. */
  get line(): string {
    let cells = 0
    let reached = 0
    let least = Number.POSITIVE_INFINITY
    for (const fault of FAULTS)
      for (const call of CALLS) {
        if (!isReachable(fault, call)) continue
        const count = this.count(fault, call)
        cells++
        if (count > 0) reached++
        least = Math.min(least, count)
      }
    return `${reached} of ${cells} cells of fault × call reached, each at least ${least} times`
  }

  /** The whole table. */
  get table(): string {
    const width = Math.max(...CALLS.map((call) => call.length))
    const head = `${''.padEnd(width)} ${FAULTS.map((fault) => fault.padStart(12)).join(' ')}`
    const rows = CALLS.map((call) => {
      const cells = FAULTS.map((fault) =>
        (isReachable(fault, call) ? String(this.count(fault, call)) : '–').padStart(12),
      )
      return `${call.padEnd(width)} ${cells.join(' ')}`
    })
    return [head, ...rows].join('\n')
  }
}
