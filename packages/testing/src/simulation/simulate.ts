import type { Driver } from '@slotkeeper/core/driver'
import type { Coverage } from './coverage.ts'
import { type Plan, planOf, type Step } from './plan.ts'
import { quiesce } from './quiesce.ts'
import { owningImmediates } from './scheduler.ts'
import type { BrokenRule } from './violation.ts'
import { World } from './world.ts'

/** Options of `simulate`. */
export interface SimulateOptions {
  /** Everything follows from it. */
  readonly seed: number
  /** Write down what happened. Default: only when a rule is broken. */
  readonly trace?: boolean
  /** Wraps the driver of every process, to try a wrapper, or to see that the simulation finds what it breaks. */
  readonly alter?: (driver: Driver) => Driver
  /** How many times a failing seed may be run again to find fewer steps that fail. Default 150. */
  readonly shrinks?: number
}

/** What became of a seed. */
export interface Simulated {
  readonly seed: number
  /** The first rule seen to be broken. */
  readonly broken: BrokenRule | undefined
  /** One line for each thing that happened. */
  readonly history: readonly string[]
  readonly coverage: Coverage
  /** Steps of the plan; of the smallest that fails, where a rule is broken. */
  readonly steps: readonly Step[]
  /** Things that happened, and bodies that ran. */
  readonly happenings: number
  readonly bodies: number
}

/**
 * Runs the shipped Manager in several processes on one fake store, in virtual time, through the faults of a seed, and looks from outside
 * whether the rules hold. The same seed does the same to the byte.
 * @throws SimulationError when a rule is broken, with the seed, the rule's number and the smallest history found
 * @example
 * const { coverage } = await simulate({ seed: 17 })
 */
export async function simulate(options: SimulateOptions): Promise<Simulated> {
  const simulated = await trySeed(options)
  if (simulated.broken !== undefined) throw new SimulationError(simulated)
  return simulated
}

/** The same, giving back what was broken. */
export async function trySeed({
  seed,
  trace = false,
  shrinks = 150,
  alter,
}: SimulateOptions): Promise<Simulated> {
  const plan = planOf(seed)
  const first = await carryOut(plan, { trace, alter })
  if (first.broken === undefined) return first
  const fewest = await shrink(plan, first.broken, { runs: shrinks, alter })
  return carryOut(fewest, { trace: true, alter })
}

/** A rule was broken in a simulation. */
export class SimulationError extends Error {
  readonly seed: number
  readonly broken: BrokenRule

  constructor({ seed, broken, history, steps }: Simulated) {
    const { rule, message, at } = broken as BrokenRule
    super(
      `Seed ${seed} breaks rule ${rule} at ${at.toFixed(0)} ms: ${message}\n` +
        `SLOTKEEPER_SEED=${seed} makes it again. The fewest steps found (${steps.length}):\n` +
        `${steps.map((step) => `  ${JSON.stringify(step)}`).join('\n')}\nWhat happened:\n${history.slice(-120).join('\n')}`,
    )
    this.name = 'SimulationError'
    this.seed = seed
    this.broken = broken as BrokenRule
  }
}

interface Running {
  readonly trace: boolean
  readonly alter: SimulateOptions['alter']
}

async function carryOut(plan: Plan, running: Running): Promise<Simulated> {
  const world = new World(plan, running)
  const { scheduler } = world
  await owningImmediates(scheduler, async () => {
    for (let index = 0; index < plan.traits.processes; index++)
      scheduler.at(3 * index, () => world.spawn(index))
    for (const step of plan.steps)
      if (step.kind === 'op')
        scheduler.at(50 + step.at, () => {
          const actor = world.actors[step.process]
          if (actor !== undefined && !actor.of.dead) scheduler.after(0, () => void actor.do(step), actor.of)
        })
      else scheduler.at(50 + step.at, () => world.apply(step))
    await scheduler.run(50 + plan.traits.horizonMs, () => world.brokenRules.length > 0)
    if (world.brokenRules.length === 0) await quiesce(world)
  })
  return {
    seed: plan.seed,
    broken: world.brokenRules[0],
    history: world.history,
    coverage: world.coverage,
    steps: plan.steps,
    happenings: scheduler.count,
    bodies: world.bodies.started,
  }
}

/** Leaves out steps, many at a time and then fewer, as long as the same rule is broken. */
async function shrink(
  plan: Plan,
  broken: BrokenRule,
  { runs, alter }: { runs: number; alter: SimulateOptions['alter'] },
): Promise<Plan> {
  let smallest = plan
  let left = runs
  for (let size = Math.ceil(plan.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let from = 0; from < smallest.steps.length && left > 0; ) {
      const steps = smallest.steps.filter((_, at) => at < from || at >= from + size)
      const fewer = { ...smallest, steps }
      left--
      if ((await carryOut(fewer, { trace: false, alter })).broken?.rule === broken.rule) smallest = fewer
      else from += size
    }
  return smallest
}
