import fc from 'fast-check'

/** How many there are of each. */
export const CALLERS = 10
const RUNS = 24

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
type Weights = Partial<Record<Kind, number>>

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

/** Mostly one of the first few, so that they meet. */
function few(most: number, all: number): fc.Arbitrary<number> {
  return fc.oneof({ weight: 3, arbitrary: fc.nat(most - 1) }, { weight: 1, arbitrary: fc.nat(all - 1) })
}

function asked(weights: Weights): fc.Arbitrary<Asked> {
  const kinds = Object.entries({ ...USUAL, ...weights }) as [Kind, number][]
  return fc.record({
    kind: fc.oneof(...kinds.map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) }))),
    late: mostly(12, 0, 1, 3, 9),
    run: few(6, RUNS),
    caller: few(3, CALLERS),
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

/** Which programs to draw. */
export interface Drawn {
  /** Above the usual ones, they bring a rule's own subject into play more often. */
  readonly weights?: Weights
  /** The most batches. */
  readonly steps?: number
  /** One domain with many runs of many holders, small commits, and windows that hide who is dead: budgets are used up. */
  readonly crowded?: boolean
}

/** Programs, from a single command to a crowd. */
export function program({ weights = {}, steps = 14, crowded = false }: Drawn = {}): fc.Arbitrary<Program> {
  const burst = fc
    .tuple(
      fc.array(asked({ ...weights, acquire: crowded ? 120 : 300 }), {
        minLength: 8,
        maxLength: 16,
        size: 'max',
      }),
      crowded ? fc.constantFrom(1, 1, 3, 40) : fc.constant(undefined),
    )
    .map(([all, limit]) =>
      all.map((one, i) => ({
        ...one,
        run: (one.run + i) % RUNS,
        caller: crowded ? (one.caller + i) % CALLERS : one.caller,
        mode: one.mode === 'try' ? 'wait' : one.mode,
        ...(limit === undefined ? {} : { limit, uid: undefined, generation: undefined }),
      })),
    )
  const step: fc.Arbitrary<Step> = fc.record({
    advance: crowded ? mostly(5, 0, 1, 45, 110) : mostly(8, 0, 1, 1, 15, 15, 45, 45, 110, 600),
    beats: crowded ? mostly(2, 0, 2 ** CALLERS - 1, 0x155) : fc.nat(2 ** CALLERS - 1),
    domain: crowded ? fc.constant(0) : mostly(5, 0, 1),
    by: fc.nat(CALLERS - 1),
    commands: fc.oneof(
      { weight: 3, arbitrary: fc.array(asked(weights), { maxLength: 1 }) },
      { weight: 4, arbitrary: fc.array(asked(weights), { maxLength: 4 }) },
      { weight: 2, arbitrary: fc.array(asked(weights), { maxLength: 12, size: 'max' }) },
      { weight: crowded ? 8 : 1, arbitrary: burst },
    ),
    budget: crowded ? mostly(2, 16, 17) : mostly(4, 16, 17, 18, 21, 100),
    overdue: mostly(2, 100, 1, 2, 4),
    heads: mostly(2, 100, 1, 2, 4),
    cautious: fc.boolean(),
    shared: fc.boolean(),
    late: crowded ? fc.boolean() : mostly(3, false, true),
    fate: mostly<Step['fate']>(8, 'commit', 'lost', 'lost', 'conflict', 'drain', 'house'),
  })
  const limit = crowded ? mostly<number | null>(2, 40, 2, 1) : mostly<number | null>(3, 1, 2, 3, 0, null)
  return fc.record({
    limits: fc.tuple(limit, limit),
    steps: fc.array(step, { minLength: 1, maxLength: steps, size: 'max' }),
  })
}
