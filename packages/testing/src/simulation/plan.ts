import { Random } from '../conformance/random.ts'
import { CALLS, type Call, FAULTS, type Fault, isReachable } from './coverage.ts'
import type { WireFault } from './network.ts'

/** What the world of a seed is like. */
export interface Traits {
  readonly processes: number
  readonly repositories: number
  readonly mode: 'locked' | 'optimistic'
  readonly budget: number
  readonly ttlMs: number
  readonly callTimeoutMs: number
  readonly claimTimeoutMs: number
  readonly leaseTtlMs: number
  readonly backstopMs: number
  readonly latencyMs: number
  readonly delayMs: number
  readonly clockLagMs: number
  readonly wallTokens: boolean
  /** Repositories tell a uid and generations, as Kubernetes resources do. */
  readonly uids: boolean
  readonly horizonMs: number
}

/** Something that goes wrong. */
export type FaultStep =
  | {
      readonly kind: 'wire'
      readonly at: number
      readonly process: number
      readonly fault: WireFault
      readonly ms: number
    }
  | { readonly kind: 'stall' | 'suspend'; readonly at: number; readonly process: number; readonly ms: number }
  | { readonly kind: 'crash'; readonly at: number; readonly process: number; readonly ms: number }
  | { readonly kind: 'outage' | 'restart-all'; readonly at: number; readonly ms: number }
  | { readonly kind: 'break-watch'; readonly at: number; readonly process: number }
  /** Goes wrong as soon as somebody makes that call. */
  | {
      readonly kind: 'trap'
      readonly at: number
      readonly fault: Fault
      readonly call: Call
      readonly ms: number
    }

const OPS = [
  'work',
  'try',
  'durable-wait',
  'enqueue',
  'remove',
  'limit',
  'state',
  'run-state',
  'cleanup',
  'look',
  'close',
  'finish-any',
  'reconcile',
] as const
type Op = (typeof OPS)[number]

/** Something that somebody wants. The numbers mean to each operation what it makes of them. */
export interface OpStep {
  readonly kind: 'op'
  readonly at: number
  readonly process: number
  readonly op: Op
  readonly repository: number
  readonly run: number
  readonly holdMs: number
  readonly priority: number
  /** From 0 up to 1: whatever else the operation has to choose. */
  readonly a: number
  readonly b: number
}

/** One line of a plan: something that somebody wants, or something that goes wrong. */
export type Step = FaultStep | OpStep

/** A world and what is going to happen in it. All of it follows from the seed; steps can be left out. */
export interface Plan {
  readonly seed: number
  readonly traits: Traits
  readonly steps: readonly Step[]
}

const WEIGHTS: Readonly<Record<Op, number>> = {
  work: 30,
  try: 12,
  'durable-wait': 7,
  enqueue: 14,
  remove: 4,
  limit: 6,
  state: 4,
  'run-state': 5,
  cleanup: 3,
  look: 3,
  close: 3,
  'finish-any': 5,
  reconcile: 6,
}
const DEALT: readonly Op[] = OPS.flatMap((op) => Array<Op>(WEIGHTS[op]).fill(op))

const WIRE_FAULTS: readonly WireFault[] = [
  'partition',
  'deaf',
  'lost-request',
  'lost-answer',
  'duplicate',
  'delay',
  'hint-dropped',
  'hint-late',
]

/** Makes the plan of a seed. */
export function planOf(seed: number): Plan {
  const random = new Random(Math.imul(seed + 1, 0x9e3779b1))
  const traits: Traits = {
    processes: 2 + random.below(3),
    repositories: 1 + random.below(2),
    mode: random.chance(0.5) ? 'locked' : 'optimistic',
    budget: random.pick([16, 16, 24, 64]),
    ttlMs: random.pick([1500, 3000]),
    callTimeoutMs: random.pick([700, 1500]),
    claimTimeoutMs: random.pick([800, 2000]),
    leaseTtlMs: random.pick([3000, 8000]),
    backstopMs: random.pick([2000, 4000]),
    latencyMs: random.pick([2, 10, 25]),
    delayMs: random.pick([200, 1500]),
    clockLagMs: random.pick([0, 0, 20]),
    wallTokens: random.chance(0.5),
    uids: random.chance(0.5),
    horizonMs: 4000 + random.below(5000),
  }
  const calm = random.chance(0.15)
  const steps: Step[] = []
  const ops = 10 + random.below(22)
  for (let n = 0; n < ops; n++) steps.push(op(random, traits, n))
  if (!calm) steps.push(...aimed(random, traits, CELLS[seed % CELLS.length] as Cell))
  const traps = calm ? 0 : random.below(3)
  for (let n = 0; n < traps; n++)
    steps.push(trap(random, traits, random.pick(random.chance(0.7) ? RARE_CELLS : CELLS)))
  const faults = calm ? 0 : 1 + random.below(7)
  for (let n = 0; n < faults; n++) steps.push(fault(random, traits))
  steps.sort((a, b) => a.at - b.at)
  return { seed, traits, steps }
}

function op(random: Random, traits: Traits, n: number): OpStep {
  const what = random.pick(DEALT)
  return {
    kind: 'op',
    // Bursts make batches and queues.
    at: random.chance(0.5) ? random.below(8) * (traits.horizonMs / 8) : random.below(traits.horizonMs),
    process: random.below(traits.processes),
    op: what,
    repository: random.below(traits.repositories),
    run: random.chance(0.35) ? random.below(4) : 10 + n,
    holdMs: random.chance(0.2) ? 2500 + random.below(3000) : 5 + random.below(600),
    priority: random.chance(0.6) ? 0 : random.below(3),
    a: random.next(),
    b: random.next(),
  }
}

interface Cell {
  readonly fault: Fault
  readonly call: Call
}

const CELLS: readonly Cell[] = FAULTS.flatMap((fault) =>
  CALLS.filter((call) => isReachable(fault, call)).map((call) => ({ fault, call })),
)
const RARE: readonly Call[] = [
  'adopt',
  'requeue',
  'sweep',
  'tidy',
  'close-holder',
  'finish',
  'claim',
  'remove-repository',
]
const RARE_CELLS = CELLS.filter(({ call }) => RARE.includes(call))

function trap(random: Random, traits: Traits, { fault, call }: Cell): FaultStep {
  return {
    kind: 'trap',
    at: random.below(traits.horizonMs),
    fault,
    call,
    ms: 50 + random.below(traits.ttlMs),
  }
}

/** Every cell has seeds of its own, so that each is met; where a call comes about rarely, with what brings it about. */
function aimed(random: Random, traits: Traits, cell: Cell): Step[] {
  const steps: Step[] = [{ ...trap(random, traits, cell), at: 0 }]
  if (cell.call === 'remove')
    for (const at of [900, 2100, 3300]) {
      const wish = { ...op(random, traits, at), a: 0.9, run: at }
      steps.push(
        { ...wish, at: at - 100, op: 'enqueue' },
        { ...wish, at, op: 'remove', process: random.below(traits.processes) },
      )
    }
  if (cell.call !== 'adopt') return steps
  for (const at of [200, 700]) {
    const process = random.below(traits.processes)
    steps.push({ ...op(random, traits, at), at, process, op: 'enqueue', a: 0.5, run: at })
    steps.push({ kind: 'crash', at: at + 150 + random.below(600), process, ms: 500 })
  }
  return steps
}

function fault(random: Random, traits: Traits): FaultStep {
  const at = random.below(traits.horizonMs)
  const process = random.below(traits.processes)
  const short = 50 + random.below(600)
  const long = traits.ttlMs * (0.7 + random.next())
  const ms = random.chance(0.5) ? short : long
  switch (random.below(14)) {
    case 0:
    case 1:
      return { kind: 'crash', at, process, ms: 50 + random.below(2000) }
    case 2:
      return { kind: 'stall', at, process, ms }
    case 3:
      return { kind: 'suspend', at, process, ms }
    case 4:
      return { kind: 'outage', at, ms }
    case 5:
      return random.chance(0.5) ? { kind: 'restart-all', at, ms } : { kind: 'break-watch', at, process }
    default:
      return {
        kind: 'wire',
        at,
        process,
        fault: random.pick(WIRE_FAULTS),
        ms: random.chance(0.5) ? long : 2 * long,
      }
  }
}
