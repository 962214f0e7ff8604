import fc from 'fast-check'

/** How many there are of each; few, so that they meet. */
export const CALLERS = 6
export const RUNS = 16

/** A command as drawn: small numbers that the world turns into a real command with what it knows by then. */
export interface Asked {
  readonly kind: Kind
  /** Above 0: the command that was sent so many commands ago, again, whatever came of it. */
  readonly late: number
  readonly run: number
  readonly caller: number
  readonly mode: 'try' | 'wait' | 'enqueue'
  readonly durable: boolean
  readonly priority: number
  readonly runUid: string | undefined
  readonly limit: number | null | undefined
  readonly uid: string | undefined
  readonly generation: number | undefined
  /** How a token, a ticket to withdraw, or the holder is chosen. */
  readonly aim: number
  readonly ms: number
}

export type Kind =
  | 'acquire'
  | 'claim'
  | 'adopt'
  | 'adopt-beyond'
  | 'requeue'
  | 'release'
  | 'finish'
  | 'withdraw'
  | 'remove'
  | 'run-state'
  | 'repository-state'
  | 'limit'
  | 'remove-repository'
  | 'watch'

/** One batch, and what the world does around it. */
export interface Step {
  readonly advance: number
  /** Callers whose holders heartbeat first, as bits. */
  readonly beats: number
  readonly domain: number
  readonly by: number
  readonly commands: readonly Asked[]
  readonly budget: number
  readonly overdue: number
  readonly heads: number
  readonly cautious: boolean
  readonly shared: boolean
  readonly late: boolean
  /** `lost`: the answer is lost after the commit, and everything is asked again. `conflict`: another batch commits first. */
  readonly fate: 'commit' | 'lost' | 'conflict' | 'drain' | 'house'
}

/** A life of a store: steps, and the limits that its repositories begin with. */
export interface Program {
  readonly limits: readonly (number | null)[]
  readonly steps: readonly Step[]
}

/** How often each kind of command is drawn. */
export type Weights = Partial<Record<Kind, number>>

const USUAL: Required<Weights> = {
  acquire: 40,
  claim: 6,
  adopt: 3,
  'adopt-beyond': 2,
  requeue: 5,
  release: 12,
  finish: 5,
  withdraw: 5,
  remove: 3,
  'run-state': 4,
  'repository-state': 2,
  limit: 3,
  'remove-repository': 1,
  watch: 1,
}

/** `value` most of the time, else one of the others. */
function mostly<T>(weight: number, value: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight, arbitrary: fc.constant(value) },
    ...others.map((other) => ({ weight: 1, arbitrary: fc.constant(other) })),
  )
}

function asked(weights: Weights): fc.Arbitrary<Asked> {
  const kinds = Object.entries({ ...USUAL, ...weights }) as [Kind, number][]
  return fc.record({
    kind: fc.oneof(...kinds.map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) }))),
    late: mostly(12, 0, 1, 3, 9),
    run: fc.nat(RUNS - 1),
    caller: fc.nat(CALLERS - 1),
    mode: fc.constantFrom('try', 'wait', 'wait', 'enqueue'),
    durable: mostly(2, false, true),
    priority: mostly(3, 0, -1, 1, 2),
    runUid: mostly<string | undefined>(6, undefined, 'one', 'two'),
    limit: mostly<number | null | undefined>(20, undefined, null, 0, 1, 2, 3, 40),
    uid: mostly<string | undefined>(20, undefined, 'r1', 'r2'),
    generation: mostly<number | undefined>(10, undefined, 1, 2),
    aim: fc.nat(9),
    ms: mostly(2, 0, 20, 60),
  })
}

/** Programs of up to `steps` batches. `weights` above the usual ones bring a rule's own subject into play more often. */
export function program(weights: Weights = {}, steps = 14): fc.Arbitrary<Program> {
  // Many runs at once, so that budgets are used up and queues grow.
  const burst = fc.array(asked({ acquire: 300 }), { minLength: 8, maxLength: 16, size: 'max' }).map((all) =>
    all.map((one, i) => ({
      ...one,
      run: (one.run + i) % RUNS,
      mode: one.mode === 'try' ? 'wait' : one.mode,
    })),
  )
  const step: fc.Arbitrary<Step> = fc.record({
    advance: mostly(8, 0, 1, 1, 15, 15, 45, 45, 110, 600),
    beats: fc.nat(2 ** CALLERS - 1),
    domain: mostly(5, 0, 1),
    by: fc.nat(CALLERS - 1),
    commands: fc.oneof(
      { weight: 3, arbitrary: fc.array(asked(weights), { maxLength: 1 }) },
      { weight: 4, arbitrary: fc.array(asked(weights), { maxLength: 4 }) },
      { weight: 2, arbitrary: fc.array(asked(weights), { maxLength: 12, size: 'max' }) },
      { weight: 1, arbitrary: burst },
    ),
    budget: mostly(4, 16, 17, 18, 21, 100),
    overdue: mostly(2, 100, 1, 2, 4),
    heads: mostly(2, 100, 1, 2, 4),
    cautious: fc.boolean(),
    shared: fc.boolean(),
    late: mostly(3, false, true),
    fate: mostly<Step['fate']>(8, 'commit', 'lost', 'lost', 'conflict', 'drain', 'house'),
  })
  const limit = mostly<number | null>(3, 1, 2, 3, 0, null)
  return fc.record({
    limits: fc.tuple(limit, limit),
    steps: fc.array(step, { minLength: 1, maxLength: steps, size: 'max' }),
  })
}
