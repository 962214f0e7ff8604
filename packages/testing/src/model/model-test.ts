import type { ConformanceOptions } from '../conformance/conformance.ts'
import { hunt, type Search } from './hunt.ts'
import type { Scope } from './program.ts'

/** What the model test needs, besides what the suite does, and how far it goes. */
export interface ModelTestOptions extends ConformanceOptions {
  /**
   * How many sequences each of the tests draws. Default: `SLOTKEEPER_CASES` of the environment, else as many as fit into four seconds.
   */
  readonly cases?: number
  /** From where they are drawn. Default: `SLOTKEEPER_SEED` of the environment, else another one each time. */
  readonly seed?: number
  /** What the message of a failure said, to have its sequence again. Default: `SLOTKEEPER_REPLAY` of the environment. */
  readonly replay?: string
}

/** From commands alone to everything; what a driver leaves out convicts it under one name, and not under all. */
const SCOPES: readonly { readonly word: string; readonly name: string; readonly scope: Scope }[] = [
  {
    word: 'commands',
    name: 'model: commands and holders in any sequence lead to what the policy alone leads to',
    scope: { removals: false, sweeps: false },
  },
  {
    word: 'removals',
    name: 'model: the same while repositories are removed and made again',
    scope: { removals: true, sweeps: false },
  },
  {
    word: 'sweeps',
    name: 'model: the same while sweeps find what is due, and forget what is over',
    scope: { removals: true, sweeps: true },
  },
]

const TIMEOUT_MS = 90_000
/** For a sequence that has to wait for time to pass. */
const MOST_MS_PER_CASE = 1_000

/**
 * Defines tests that draw sequences of commands, and have each decided by the driver and, beside it, by the policy alone on plain maps.
 * Several callers with holders that live, are closed and die send through several drivers on one store; after every step all outcomes,
 * rows, counts and places must be alike. A sequence that is not decided alike is made as short as it can be, and told step by step with
 * the rule that it breaks and what has it run again. `conformance` defines the same tests.
 * @example
 * modelTest({ test, open: (store) => redisDriver({ prefix: store }), cases: 1_000_000 })
 */
export function modelTest(options: ModelTestOptions): void {
  const { test, label } = options
  const search: Search = {
    cases: options.cases ?? numberOf('SLOTKEEPER_CASES'),
    seed: options.seed ?? numberOf('SLOTKEEPER_SEED'),
    replay: options.replay ?? process.env.SLOTKEEPER_REPLAY,
  }
  const timeoutMs = TIMEOUT_MS + (search.cases ?? 0) * MOST_MS_PER_CASE
  for (const { word, name, scope } of SCOPES)
    test(
      label === undefined ? name : `${label}: ${name}`,
      () => hunt(word, scope, options, search),
      timeoutMs,
    )
}

function numberOf(variable: string): number | undefined {
  const text = process.env[variable]
  return text === undefined ? undefined : Number(text)
}
