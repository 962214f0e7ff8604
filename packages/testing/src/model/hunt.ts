import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { createDecide, type Driver } from '@slotkeeper/core/driver'
import fc from 'fast-check'
import { Disagreement } from './disagreement.ts'
import { DRIVERS, type Program, program, type Scope } from './program.ts'
import { ruleNamed } from './rule-of.ts'
import { SideBySide } from './side-by-side.ts'

/** Where the driver comes from. */
export interface Place {
  readonly open: (store: string) => Driver | Promise<Driver>
  readonly cleanup?: ((store: string) => void | Promise<void>) | undefined
  readonly advance?: ((store: string, ms: number) => void | Promise<void>) | undefined
}

/** How long to look, and where. */
export interface Search {
  /** How many sequences; `undefined`: as many as fit into the default time. */
  readonly cases: number | undefined
  readonly seed: number | undefined
  /** What a failure's message said, to have it again. */
  readonly replay: string | undefined
  /** How long a failing sequence is made shorter, in ms. Default: 15,000. */
  readonly shrinkMs?: number
}

/** Without a number of sequences, as many as fit into this. */
const TIME_MS = 4_000
/** Sequences drawn from one seed; the next ones come from the next seed. */
const DRAWN = 25
/** Sequences wait for the store, or for time to pass: so many at once keep a machine busy. */
const LANES = 6
const SHRINK_MS = 15_000
/** Holders that are meant to die live for this long, if the store can keep so short a life. */
const SHORT_MS = 100
/** So many times as long a record is kept. */
const RECORD_LIVES = 2
const LAST_SEED = 2 ** 31 - 1

/** What was found when a sequence was not decided alike. */
interface Failure {
  readonly report: string
  readonly replay: string
}

/** Sequences of one seed, or, by its path, a single one; none is begun after `end`. */
interface Draw {
  readonly seed: number
  readonly path: string | undefined
  readonly cases: number
  readonly end: number
  readonly shrinkMs: number
}

let stores = 0

/** Draws sequences of this scope until one is not decided alike, and throws what is left of it. */
export async function hunt(name: string, scope: Scope, place: Place, search: Search): Promise<void> {
  const { shrinkMs = SHRINK_MS } = search
  const [replayed, seed, path] = search.replay?.split(' ') ?? []
  if (replayed === name && seed !== undefined && path !== undefined) {
    const failure = await draw(name, scope, place, {
      seed: Number(seed),
      path,
      cases: 1,
      end: Number.POSITIVE_INFINITY,
      shrinkMs,
    })
    if (failure !== undefined) throw told(failure)
    return
  }
  const first = search.seed ?? Math.floor(Math.random() * LAST_SEED)
  const end = search.cases === undefined ? performance.now() + TIME_MS : Number.POSITIVE_INFINITY
  let left = search.cases ?? Number.POSITIVE_INFINITY
  let next = 0
  let failure: Failure | undefined
  const lane = async () => {
    while (left > 0 && failure === undefined && performance.now() < end) {
      const cases = Math.min(DRAWN, left)
      left -= cases
      const found = await draw(name, scope, place, {
        seed: (first + next++) % LAST_SEED,
        path: undefined,
        cases,
        end,
        shrinkMs,
      })
      failure ??= found
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  if (failure !== undefined) throw told(failure)
}

function told({ report, replay }: Failure): Error {
  return new Error(`${report}\n\nSLOTKEEPER_REPLAY='${replay}' has the same sequence again.`)
}

/** Draws sequences from one seed, and makes the first that fails as short as it can. */
async function draw(
  name: string,
  scope: Scope,
  place: Place,
  { seed, path, cases, end, shrinkMs }: Draw,
): Promise<Failure | undefined> {
  const stand = new Stand(place)
  let failedAt: number | undefined
  let broken: string | undefined
  let lived = 0
  const property = fc.asyncProperty(program(scope), async (drawn) => {
    // Behind the one of a path fast-check goes on with all that would be tried next.
    if (path !== undefined && lived++ > 0) return
    // Time is over: for those that were not begun, or for making one that failed shorter.
    if (performance.now() > (failedAt === undefined ? end : failedAt + shrinkMs)) return
    try {
      await stand.live(drawn)
    } catch (error) {
      const rule = ruleBy(error)
      failedAt ??= performance.now()
      broken ??= rule
      // A shorter sequence that breaks another rule tells something else.
      if (rule === broken) throw error
    } finally {
      // What fails is tried again on empty stores only, so that its message tells all.
      if (failedAt !== undefined) await stand.close()
    }
    await setImmediate()
  })
  const details = await fc.check(property, {
    seed,
    numRuns: cases,
    ...(path === undefined ? {} : { path, endOnFailure: true }),
  })
  await stand.close()
  if (!details.failed) return undefined
  const { errorInstance, counterexamplePath } = details
  const report = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
  return { report, replay: `${name} ${seed} ${counterexamplePath ?? '0'}` }
}

/** A store with drivers on it. Opening one may take longer than a sequence, so that many are lived on it, one after the other. */
class Stand {
  readonly #place: Place
  readonly #drivers: Driver[] = []
  #store = ''
  #sequence = 0

  constructor(place: Place) {
    this.#place = place
  }

  /** One sequence; what fails is never gone on with. */
  async live({ limits, steps }: Program): Promise<void> {
    if (this.#drivers.length === 0) await this.#open()
    const [first] = this.#drivers as [Driver]
    const shortMs = Math.max(SHORT_MS, first.manifest.minimumTtlMs)
    const policy = { recordTtlMs: RECORD_LIVES * shortMs }
    const sides = new SideBySide(
      {
        drivers: this.#drivers,
        policy,
        decide: createDecide(policy),
        advance: (ms) =>
          this.#place.advance === undefined ? sleep(ms) : this.#place.advance(this.#store, ms),
        shortMs,
        sequence: this.#sequence++,
      },
      limits,
    )
    try {
      await sides.run(steps)
      await sides.tidy()
    } catch (error) {
      throw new BrokenSequence(ruleBy(error), reportOf(error, sides.transcript.lines), error)
    }
  }

  /** The next sequence finds an empty store. */
  async close(): Promise<void> {
    for (const driver of this.#drivers.splice(0)) await driver.close()
    if (this.#store !== '') await this.#place.cleanup?.(this.#store)
    this.#sequence = 0
  }

  async #open(): Promise<void> {
    this.#store = `model-${process.pid}-${++stores}-${Math.floor(Math.random() * 36 ** 6).toString(36)}`
    while (this.#drivers.length < DRIVERS) {
      const driver = await this.#place.open(this.#store)
      this.#drivers.push(driver)
      await driver.open({ schema: 'migrate' })
    }
  }
}

/** A sequence that was not decided alike, told in full. */
class BrokenSequence extends Error {
  readonly rule: string

  constructor(rule: string, report: string, cause: unknown) {
    super(report, { cause })
    this.rule = rule
  }
}

function ruleBy(error: unknown): string {
  return error instanceof Disagreement || error instanceof BrokenSequence ? error.rule : ruleNamed('contract')
}

function reportOf(error: unknown, lines: readonly string[]): string {
  const what =
    error instanceof Disagreement
      ? error.message
      : `The driver failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
  return [ruleBy(error), what, '', 'What was done, with the driver’s answers:', ...lines].join('\n')
}
