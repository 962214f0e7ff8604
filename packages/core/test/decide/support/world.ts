import type { AcquireCommand, Command } from '../../../src/commands.ts'
import { createDecide } from '../../../src/decide/decide.ts'
import type { HolderId, RepositoryKey, RunKey } from '../../../src/keys.ts'
import { type Changes, type Facts, RecordedSection } from '../../../src/recorded-section.ts'
import type { HolderRow, LimitProposal, Phase } from '../../../src/rows.ts'
import type { Decision } from '../../../src/section.ts'
import { type Asked, CALLERS, type Kind, type Program, type Step } from './program.ts'
import { type Domain, ReferenceStore, type Window } from './reference-store.ts'

export const RECORD_TTL_MS = 500
export const HOLDER_TTL_MS = 100
const CLAIM_TIMEOUT_MS = 40
const LEASE_TTL_MS = 60
const WHOLE: Window = { overdue: 1000, heads: 1000, cautious: false, shared: true, late: false }

/** The phases in which a command finds something to do. */
const MEANT_FOR: Partial<Record<Kind, readonly Phase[]>> = {
  claim: ['reserved'],
  adopt: ['orphaned', 'reserved'],
  'adopt-beyond': ['waiting', 'orphaned', 'record'],
  requeue: ['running', 'reserved'],
  release: ['running', 'reserved', 'orphaned'],
  finish: ['running', 'reserved', 'orphaned', 'waiting'],
  withdraw: ['running', 'waiting', 'reserved'],
  remove: ['waiting'],
  'run-state': ['running', 'waiting', 'record'],
}

/** Everything about one commit that a rule may look at. */
export interface Commit {
  readonly domain: string
  readonly now: number
  readonly by: HolderId | undefined
  readonly budget: number
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

interface Caller {
  readonly name: string
  made: number
  holder: HolderId | undefined
  opened: number
}

/** Runs programs against `decide` and a reference store, and shows every commit to the rules. */
export class World {
  readonly store = new ReferenceStore()
  readonly #decide = createDecide({ recordTtlMs: RECORD_TTL_MS })
  readonly #rules: readonly Rule[]
  readonly #limits: Program['limits']
  readonly #callers: Caller[] = []
  readonly #sent: Command[] = []

  constructor(rules: readonly Rule[], limits: Program['limits'] = [1, 2]) {
    this.#rules = rules
    this.#limits = limits
    for (let i = 0; i < CALLERS; i++) this.#callers.push({ name: `caller${i}`, made: 0, holder: undefined, opened: 0 })
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) this.#step(step)
    for (const domain of [...this.store.domains.keys()]) this.drain(domain)
  }

  #step(step: Step): void {
    const { store } = this
    store.now += step.advance
    for (let i = 0; i < CALLERS; i++) if ((step.beats & (1 << i)) !== 0) this.#heartbeat(this.#callers[i] as Caller)
    const domain = `acme/${step.domain}`
    const commands = this.commands(step)
    this.#sent.push(...commands)
    const by = this.#callers[step.by]?.holder
    const window: Window = step
    if (step.fate === 'conflict') this.#withConflict(domain, commands, by, step.budget, window)
    else {
      const commit = this.transact(domain, commands, { by, budget: step.budget, window })
      if (step.fate === 'lost') {
        const decided = commands.slice(0, commit.decision.decided).map(again)
        if (decided.length > 0) this.transact(domain, decided, { by, window, budget: step.budget, repeats: commit })
      }
    }
    if (step.fate === 'drain') this.drain(domain, step)
    if (step.fate === 'house') store.keepHouse()
  }

  /** The commands that a step's numbers stand for now. */
  commands(step: Step): Command[] {
    return step.commands.map(asked => this.#command(`acme/${step.domain}`, asked))
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
    const commit: Commit = { domain, now: store.now, by, budget, facts, commands, decision, changes, left: section.left, before, after, holders, repeats }
    for (const rule of this.#rules) rule.committed?.(commit)
    return commit
  }

  /** The same batch is decided, loses to another one, and is decided again: only that counts. */
  #withConflict(domain: string, commands: readonly Command[], by: HolderId | undefined, budget: number, window: Window): void {
    this.#decide(new RecordedSection(this.store.load(domain, commands, budget, window), { budget, by }), commands)
    this.transact(domain, commands.slice(0, 2).map(again), { by, budget, window })
    this.transact(domain, commands, { by, budget, window })
  }

  /** Decides without commands until there is no more to do. */
  drain(domain: string, window?: Window & { readonly budget: number }): void {
    const { repository, runs } = this.store.domain(domain)
    const most = 2 * runs.size + (repository?.waiting ?? 0) + 4
    for (let i = 0; ; i++) {
      const { decision } = this.transact(domain, [], window === undefined ? {} : { window: { ...window, late: false }, budget: window.budget })
      if (!decision.more) break
      if (i > most) throw new Error(`Liveness: after ${i} decisions there is still more to do in ${domain}.`)
    }
    for (const rule of this.#rules) rule.drained?.(this.store, domain)
  }

  #heartbeat(caller: Caller): void {
    const row = caller.holder === undefined ? undefined : this.store.holders.get(caller.holder)
    if (row === undefined || row.dead || row.expiresAt <= this.store.now) return
    this.store.holders.set(row.holder, { ...row, expiresAt: this.store.now + HOLDER_TTL_MS })
  }

  /** The caller's holder; a new one when it knows that the last one is lost. */
  holder(caller: Caller | number, insist = true): HolderId {
    const of = typeof caller === 'number' ? (this.#callers[caller] as Caller) : caller
    if (of.holder === undefined || (insist && this.store.isGone(of.holder))) {
      of.holder = `${of.name}-${of.opened++}` as HolderId
      this.store.holders.set(of.holder, { holder: of.holder, expiresAt: this.store.now + HOLDER_TTL_MS, dead: false, epoch: 0 })
    }
    return of.holder
  }

  ticket(caller: Caller | number): string {
    const of = typeof caller === 'number' ? (this.#callers[caller] as Caller) : caller
    return `${of.name}.${(of.made++).toString(36).padStart(8, '0')}`
  }

  #command(repository: RepositoryKey, asked: Asked): Command {
    const { late, aim } = asked
    if (late > 0 && this.#sent.length >= late) {
      const command = again(this.#sent[this.#sent.length - late] as Command)
      if (command.repository === repository) {
        // A repetition takes the next holder of its Manager, a duplicate on the wire does not.
        const caller = this.#callers.find(({ name }) => command.ticket.startsWith(name))
        if ('holder' in command && caller !== undefined && aim < 7) command.holder = this.holder(caller)
        return command
      }
    }
    const caller = this.#callers[asked.caller] as Caller
    const run = this.#run(repository, asked)
    const row = this.store.domain(repository).runs.get(run)
    const ticket = this.ticket(caller)
    const proposal = this.#proposal(repository, asked)
    const base = { repository, run, ticket, outcome: undefined }
    const timed = { holder: this.holder(caller, aim < 8), validUntil: aim === 9 ? this.store.now + asked.ms - 20 : 0 }
    const token = aim < 7 ? (row?.token ?? 0) : aim === 7 ? (row?.token ?? 0) - 1 : aim
    const { mode, durable, priority, runUid, ms } = asked
    switch (asked.kind) {
      case 'acquire': {
        const times = { maxHoldMs: aim === 6 ? ms : 0, claimTimeoutMs: CLAIM_TIMEOUT_MS, leaseTtlMs: LEASE_TTL_MS }
        return { ...base, ...timed, ...times, kind: 'acquire', mode, proposal, runUid, durable: durable || mode === 'enqueue', priority, meta: undefined }
      }
      case 'claim':
        return { ...base, ...timed, kind: 'claim', token }
      case 'adopt':
        return { ...base, ...timed, kind: 'adopt', beyond: undefined }
      case 'adopt-beyond':
        return { ...base, ...timed, kind: 'adopt', beyond: { runUid, claimTimeoutMs: CLAIM_TIMEOUT_MS, leaseTtlMs: LEASE_TTL_MS } }
      case 'requeue':
        return { ...base, kind: 'requeue', token, delayMs: ms }
      case 'release':
        return { ...base, kind: 'release', token, state: aim % 2 === 0 ? 'completed' : 'failed', force: aim === 3 ? { actor: 'ops', reason: 'stuck' } : undefined }
      case 'finish':
        return { ...base, kind: 'finish', state: 'completed' }
      case 'withdraw': {
        const old = this.#sent.findLast((command): command is AcquireCommand => command.kind === 'acquire' && command.run === run && command.repository === repository)
        const of = aim < 3 ? row?.ticket : aim < 6 ? (row?.grantedTo ?? row?.ticket) : aim < 8 ? old?.ticket : undefined
        return { ...base, kind: 'withdraw', orphan: asked.durable, of: of ?? this.#neverArrived(repository, run, caller) }
      }
      case 'remove':
        return { ...base, kind: 'remove' }
      case 'run-state':
        return { ...base, kind: 'run-state', runUid, state: (['queued', 'started', 'completed', 'failed'] as const)[aim % 4] ?? 'queued' }
      case 'repository-state':
        return { repository, ticket, outcome: undefined, kind: 'repository-state', state: aim < 6 ? 'active' : aim < 8 ? 'paused' : 'draining' }
      case 'limit':
        return { repository, ticket, outcome: undefined, kind: 'limit', source: aim < 6 ? 'local' : 'global', proposal }
      case 'remove-repository':
        return { repository, ticket, outcome: undefined, kind: 'remove-repository', uid: asked.uid }
      case 'watch':
        return { repository, ticket, outcome: undefined, kind: 'watch', forMs: ms }
    }
  }

  /** Mostly a run that the command is meant for. */
  #run(repository: RepositoryKey, { kind, run, aim }: Asked): RunKey {
    const phases = MEANT_FOR[kind]
    if (phases !== undefined && aim < 8) {
      const rows = [...this.store.domain(repository).runs.values()].filter(({ phase }) => phases.includes(phase))
      const row = rows[run % rows.length]
      if (row !== undefined) return row.run
    }
    return `acme/run${run}`
  }

  /** A ticket whose command is under way still, and may come after all. */
  #neverArrived(repository: RepositoryKey, run: RunKey, caller: Caller): string {
    const lost: AcquireCommand = {
      kind: 'acquire', repository, run, ticket: this.ticket(caller), holder: this.holder(caller), validUntil: 0, mode: 'wait', proposal: this.#proposal(repository, undefined),
      runUid: undefined, durable: false, priority: 0, maxHoldMs: 0, claimTimeoutMs: CLAIM_TIMEOUT_MS, leaseTtlMs: LEASE_TTL_MS, meta: undefined, outcome: undefined,
    }
    this.#sent.push(lost)
    return lost.ticket
  }

  #proposal(repository: RepositoryKey, asked: Asked | undefined): LimitProposal {
    const base = this.#limits[Number(repository.slice(5))] ?? null
    return { limit: asked?.limit === undefined ? base : asked.limit, uid: asked?.uid, generation: asked?.generation }
  }
}

/** The same command, not yet answered. */
export function again<C extends Command>(command: C): C {
  return { ...command, outcome: undefined }
}
