import type { Command } from '../../../src/commands.ts'
import { createDecide } from '../../../src/decide/decide.ts'
import type { HolderId } from '../../../src/keys.ts'
import { type Changes, type Facts, RecordedSection } from '../../../src/recorded-section.ts'
import type { HolderRow } from '../../../src/rows.ts'
import type { Decision } from '../../../src/section.ts'
import { again, Callers } from './callers.ts'
import type { Program, Step } from './program.ts'
import { type Domain, ReferenceStore, type Window } from './reference-store.ts'

export const RECORD_TTL_MS = 500
const WHOLE: Window = { overdue: 1000, heads: 1000, cautious: false, shared: true, late: false }

/** Everything about one commit that a rule may look at. */
export interface Commit {
  readonly domain: string
  readonly now: number
  readonly by: HolderId | undefined
  readonly budget: number
  readonly window: Window
  readonly facts: Facts
  readonly commands: readonly Command[]
  readonly decision: Decision
  readonly changes: Changes
  /** What the section said was left of the budget. */
  readonly left: number
  readonly before: Domain
  readonly after: Domain
  readonly holders: ReadonlyMap<HolderId, HolderRow>
  /** The commands are repetitions of those of this commit, whose answers were lost; nothing happened in between. */
  readonly repeats: Commit | undefined
}

/** A rule as an observer of everything that happens in one world. */
export interface Rule {
  committed?(commit: Commit): void
  /** A domain was decided until there was no more to do, with the whole of it in view. */
  drained?(store: ReferenceStore, domain: string): void
}

/** Runs programs against `decide` and a reference store, and shows every commit to the rules. */
export class World {
  readonly store = new ReferenceStore()
  readonly #decide = createDecide({ recordTtlMs: RECORD_TTL_MS })
  readonly #rules: readonly Rule[]
  readonly callers: Callers

  constructor(rules: readonly Rule[], limits: Program['limits'] = [1, 2]) {
    this.#rules = rules
    this.callers = new Callers(this.store, limits)
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) this.#step(step)
    for (const domain of [...this.store.domains.keys()]) this.drain(domain)
  }

  #step(step: Step): void {
    const { store } = this
    store.now += step.advance
    this.callers.heartbeat(step.beats)
    const domain = `acme/${step.domain}`
    const commands = this.callers.send(step)
    const by = this.callers.holderOf(step.by)
    const window: Window = step
    if (step.fate === 'conflict') this.#withConflict(domain, commands, by, step.budget, window)
    else {
      const commit = this.transact(domain, commands, { by, budget: step.budget, window })
      if (step.fate === 'lost') {
        const decided = commands.slice(0, commit.decision.decided).map(again)
        if (decided.length > 0)
          this.transact(domain, decided, { by, window, budget: step.budget, repeats: commit })
      }
    }
    if (step.fate === 'drain') this.drain(domain, step)
    if (step.fate === 'house') store.keepHouse()
  }

  /** Decides one batch and commits it. */
  transact(
    domain: string,
    commands: readonly Command[],
    options: { by?: HolderId | undefined; budget?: number; window?: Window; repeats?: Commit } = {},
  ): Commit {
    const { store } = this
    const { by, budget = 100, window = WHOLE, repeats } = options
    const before = store.domain(domain)
    const holders = new Map(store.holders)
    // The facts are the section's from now on, so the rules get their own.
    const facts = store.load(domain, commands, budget, window)
    const section = new RecordedSection(store.load(domain, commands, budget, window), { budget, by })
    const decision = this.#decide(section, commands)
    const changes = section.changes()
    store.commit(domain, changes)
    const after = store.domain(domain)
    const commit: Commit = {
      domain,
      now: store.now,
      by,
      budget,
      window,
      facts,
      commands,
      decision,
      changes,
      left: section.left,
      before,
      after,
      holders,
      repeats,
    }
    for (const rule of this.#rules) rule.committed?.(commit)
    return commit
  }

  /** The same batch is decided, loses to another one, and is decided again: only that counts. */
  #withConflict(
    domain: string,
    commands: readonly Command[],
    by: HolderId | undefined,
    budget: number,
    window: Window,
  ): void {
    this.#decide(
      new RecordedSection(this.store.load(domain, commands, budget, window), { budget, by }),
      commands,
    )
    this.transact(domain, commands.slice(0, 2).map(again), { by, budget, window })
    this.transact(domain, commands, { by, budget, window })
  }

  /** Decides without commands until there is no more to do. */
  drain(domain: string, window?: Window & { readonly budget: number }): void {
    const { repository, runs } = this.store.domain(domain)
    const most = 2 * runs.size + (repository?.waiting ?? 0) + 4
    for (let i = 0; ; i++) {
      const { decision } = this.transact(
        domain,
        [],
        window === undefined ? {} : { window: { ...window, late: false }, budget: window.budget },
      )
      if (!decision.more) break
      if (i > most) throw new Error(`Liveness: after ${i} decisions there is still more to do in ${domain}.`)
    }
    for (const rule of this.#rules) rule.drained?.(this.store, domain)
  }
}
