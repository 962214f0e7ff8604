import fc from 'fast-check'

/** How many there are of each. */
export const CALLERS = 4
export const DRIVERS = 2
const REPOSITORIES = 3

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

/** A command as drawn: small numbers that become a real command with what is known when it is sent. */
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
  readonly noted: boolean
  /** `undefined`: what the repository was said to have from the beginning. */
  readonly limit: number | null | undefined
  readonly uid: string | undefined
  readonly generation: number | undefined
  /** How a token, a ticket to withdraw, a run or the holder is chosen: 0 to 9. */
  readonly aim: number
  readonly ms: number
}

/** The commands of one domain. Without any, it is only decided. */
interface AskedBatch {
  readonly repository: number
  readonly caller: number
  readonly commands: readonly Asked[]
}

/** One thing that somebody does, through one of the drivers. */
export type Step =
  | { readonly kind: 'transact'; readonly driver: number; readonly batches: readonly AskedBatch[] }
  /** The answer to what was sent so many transactions ago was lost: all of it is asked again. */
  | { readonly kind: 'repeat'; readonly driver: number; readonly back: number; readonly rehomed: boolean }
  | { readonly kind: 'open'; readonly driver: number; readonly caller: number; readonly short: boolean }
  | { readonly kind: 'heartbeat' | 'close'; readonly driver: number; readonly caller: number }
  | { readonly kind: 'read'; readonly driver: number; readonly pick: number }
  | { readonly kind: 'sweep'; readonly driver: number }
  /** Store time goes on; without `ms` for longer than a holder's short life. */
  | { readonly kind: 'advance'; readonly ms: number | undefined }

/** A life of a store: the limits that its repositories begin with, and what happens. */
export interface Program {
  readonly limits: readonly (number | null)[]
  readonly steps: readonly Step[]
}

/** What may occur besides commands about runs, limits and states. */
export interface Scope {
  readonly removals: boolean
  readonly sweeps: boolean
}

const WEIGHTS: Readonly<Record<Kind, number>> = {
  acquire: 40,
  claim: 6,
  adopt: 3,
  'adopt-beyond': 2,
  requeue: 5,
  release: 14,
  finish: 5,
  withdraw: 6,
  remove: 3,
  'run-state': 5,
  'repository-state': 3,
  limit: 4,
  'remove-repository': 4,
  watch: 2,
}

/** Programs from a single command to a crowd; smaller ones are found first when one fails. */
export function program(scope: Scope): fc.Arbitrary<Program> {
  const limits = fc.array(mostly<number | null>(3, 1, 2, 0, null), {
    minLength: REPOSITORIES,
    maxLength: REPOSITORIES,
  })
  const steps = fc.array(step(scope), { minLength: 1, maxLength: 24, size: 'max' })
  return fc.record({ limits, steps: scope.sweeps ? steps.map(sweptAtTheEnd) : steps })
}

function sweptAtTheEnd(steps: readonly Step[]): readonly Step[] {
  return [...steps, { kind: 'sweep', driver: 0 }]
}

function step({ removals, sweeps }: Scope): fc.Arbitrary<Step> {
  const driver = fc.nat(DRIVERS - 1)
  const caller = few(2, CALLERS)
  const batches = fc.oneof(
    { weight: 6, arbitrary: fc.array(batch(removals), { minLength: 1, maxLength: 1 }) },
    {
      weight: 1,
      arbitrary: fc.uniqueArray(batch(removals), {
        minLength: 2,
        maxLength: REPOSITORIES,
        selector: ({ repository }) => repository,
      }),
    },
  )
  return fc.oneof(
    { weight: 14, arbitrary: fc.record({ kind: fc.constant('transact'), driver, batches }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('repeat'), driver, back: few(1, 4), rehomed: fc.boolean() }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('open'), driver, caller, short: mostly(2, true, false) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('heartbeat'), driver, caller }) },
    { weight: sweeps ? 2 : 1, arbitrary: fc.record({ kind: fc.constant('close'), driver, caller }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('read'), driver, pick: fc.nat(9) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('advance'),
        ms: mostly<number | undefined>(3, 15, 1, 15, 45, 110, undefined),
      }),
    },
    { weight: sweeps ? 2 : 0, arbitrary: fc.record({ kind: fc.constant('sweep'), driver }) },
  )
}

function batch(removals: boolean): fc.Arbitrary<AskedBatch> {
  return fc.record({
    repository: few(1, REPOSITORIES),
    caller: few(2, CALLERS),
    commands: fc.oneof(
      { weight: 5, arbitrary: fc.array(asked(removals), { minLength: 1, maxLength: 1 }) },
      { weight: 3, arbitrary: fc.array(asked(removals), { maxLength: 5, size: 'max' }) },
    ),
  })
}

function asked(removals: boolean): fc.Arbitrary<Asked> {
  const kinds = Object.entries(WEIGHTS) as [Kind, number][]
  return fc.record({
    kind: fc.oneof(
      ...kinds
        .filter(([kind]) => removals || kind !== 'remove-repository')
        .map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) })),
    ),
    late: mostly(14, 0, 1, 3, 9),
    run: few(4, 7),
    caller: few(2, CALLERS),
    mode: fc.constantFrom('wait', 'try', 'wait', 'enqueue'),
    durable: mostly(2, false, true),
    priority: mostly(3, 0, -1, 1, 2 ** 31 - 1),
    runUid: mostly<string | undefined>(6, undefined, 'one', 'two'),
    noted: mostly(6, false, true),
    limit: mostly<number | null | undefined>(16, undefined, null, 0, 1, 2, 3, 40),
    uid: mostly<string | undefined>(16, undefined, 'r1', 'r2'),
    generation: mostly<number | undefined>(10, undefined, 1, 2),
    aim: fc.nat(9),
    ms: mostly(3, 0, 20, 60),
  })
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
