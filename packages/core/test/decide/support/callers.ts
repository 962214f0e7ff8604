import type { AcquireCommand, Command } from '../../../src/commands.ts'
import type { HolderId, RepositoryKey, RunKey } from '../../../src/keys.ts'
import type { LimitProposal, Phase } from '../../../src/rows.ts'
import { type Asked, CALLERS, type Kind, type Program, type Step } from './program.ts'
import type { ReferenceStore } from './reference-store.ts'

export const HOLDER_TTL_MS = 100
const CLAIM_TIMEOUT_MS = 40
const LEASE_TTL_MS = 60

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

interface Caller {
  readonly name: string
  made: number
  holder: HolderId | undefined
  opened: number
}

/** Those who ask: what they know, and the commands that they send. */
export class Callers {
  readonly #store: ReferenceStore
  readonly #limits: Program['limits']
  readonly #callers: Caller[] = []
  readonly #sent: Command[] = []

  constructor(store: ReferenceStore, limits: Program['limits']) {
    this.#store = store
    this.#limits = limits
    for (let i = 0; i < CALLERS; i++)
      this.#callers.push({ name: `caller${i}`, made: 0, holder: undefined, opened: 0 })
  }

  /** Heartbeats of those whose bits are set, as far as their holders live. */
  heartbeat(bits: number): void {
    for (const [i, { holder }] of this.#callers.entries()) {
      const row = holder === undefined ? undefined : this.#store.holders.get(holder)
      if ((bits & (1 << i)) === 0 || row === undefined || row.dead || row.expiresAt <= this.#store.now)
        continue
      this.#store.holders.set(row.holder, { ...row, expiresAt: this.#store.now + HOLDER_TTL_MS })
    }
  }

  /** The commands that a step's numbers stand for now. */
  send(step: Step): Command[] {
    const commands = step.commands.map((asked) => this.#command(`acme/${step.domain}`, asked))
    this.#sent.push(...commands)
    return commands
  }

  /** The caller's present holder, be it alive or not. */
  holderOf(caller: number): HolderId | undefined {
    return this.#callers[caller]?.holder
  }

  /** The caller's holder; a new one when it knows that the last one is lost. */
  holder(caller: Caller | number, insist = true): HolderId {
    const of = typeof caller === 'number' ? (this.#callers[caller] as Caller) : caller
    if (of.holder === undefined || (insist && this.#store.isGone(of.holder))) {
      of.holder = `${of.name}-${of.opened++}` as HolderId
      this.#store.holders.set(of.holder, {
        holder: of.holder,
        expiresAt: this.#store.now + HOLDER_TTL_MS,
        dead: false,
        epoch: 0,
      })
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
    const row = this.#store.domain(repository).runs.get(run)
    const ticket = this.ticket(caller)
    const proposal = this.#proposal(repository, asked)
    const base = { repository, run, ticket, outcome: undefined }
    const timed = {
      holder: this.holder(caller, aim < 8),
      validUntil: aim === 9 ? this.#store.now + asked.ms - 20 : 0,
    }
    const token = (row?.token ?? 0) + (aim < 7 ? 0 : aim === 7 ? -1 : 1_000_000)
    const { mode, durable, priority, runUid, ms } = asked
    switch (asked.kind) {
      case 'acquire': {
        const times = {
          maxHoldMs: aim === 6 ? ms : 0,
          claimTimeoutMs: CLAIM_TIMEOUT_MS,
          leaseTtlMs: LEASE_TTL_MS,
        }
        return {
          ...base,
          ...timed,
          ...times,
          kind: 'acquire',
          mode,
          proposal,
          runUid,
          durable: durable || mode === 'enqueue',
          priority,
          meta: undefined,
        }
      }
      case 'claim':
        return { ...base, ...timed, kind: 'claim', token }
      case 'adopt':
        return { ...base, ...timed, kind: 'adopt', beyond: undefined }
      case 'adopt-beyond':
        return {
          ...base,
          ...timed,
          kind: 'adopt',
          beyond: { runUid, claimTimeoutMs: CLAIM_TIMEOUT_MS, leaseTtlMs: LEASE_TTL_MS },
        }
      case 'requeue':
        return { ...base, kind: 'requeue', token, delayMs: ms }
      case 'release':
        return {
          ...base,
          kind: 'release',
          token,
          state: aim % 2 === 0 ? 'completed' : 'failed',
          force: aim === 3 ? { actor: 'ops', reason: 'stuck' } : undefined,
        }
      case 'finish':
        return { ...base, kind: 'finish', state: 'completed' }
      case 'withdraw': {
        const old = this.#sent.findLast(
          (command): command is AcquireCommand =>
            command.kind === 'acquire' && command.run === run && command.repository === repository,
        )
        const of =
          aim < 3
            ? row?.ticket
            : aim < 6
              ? (row?.grantedTo ?? row?.ticket)
              : aim < 8
                ? old?.ticket
                : undefined
        return {
          ...base,
          kind: 'withdraw',
          orphan: asked.durable,
          of: of ?? this.#neverArrived(repository, run, caller),
        }
      }
      case 'remove':
        return { ...base, kind: 'remove' }
      case 'run-state':
        return {
          ...base,
          kind: 'run-state',
          runUid,
          state: (['queued', 'started', 'completed', 'failed'] as const)[aim % 4] ?? 'queued',
        }
      case 'repository-state':
        return {
          repository,
          ticket,
          outcome: undefined,
          kind: 'repository-state',
          state: aim < 6 ? 'active' : aim < 8 ? 'paused' : 'draining',
        }
      case 'limit':
        return {
          repository,
          ticket,
          outcome: undefined,
          kind: 'limit',
          source: aim < 6 ? 'local' : 'global',
          proposal,
        }
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
      const rows = [...this.#store.domain(repository).runs.values()].filter(({ phase }) =>
        phases.includes(phase),
      )
      const row = rows[run % rows.length]
      if (row !== undefined) return row.run
    }
    return `acme/run${run}`
  }

  /** A ticket whose command is under way still, and may come after all. */
  #neverArrived(repository: RepositoryKey, run: RunKey, caller: Caller): string {
    const lost: AcquireCommand = {
      kind: 'acquire',
      repository,
      run,
      ticket: this.ticket(caller),
      holder: this.holder(caller),
      validUntil: 0,
      mode: 'wait',
      proposal: this.#proposal(repository, undefined),
      runUid: undefined,
      durable: false,
      priority: 0,
      maxHoldMs: 0,
      claimTimeoutMs: CLAIM_TIMEOUT_MS,
      leaseTtlMs: LEASE_TTL_MS,
      meta: undefined,
      outcome: undefined,
    }
    this.#sent.push(lost)
    return lost.ticket
  }

  #proposal(repository: RepositoryKey, asked: Asked | undefined): LimitProposal {
    const base = this.#limits[Number(repository.slice(5))] ?? null
    return {
      limit: asked?.limit === undefined ? base : asked.limit,
      uid: asked?.uid,
      generation: asked?.generation,
    }
  }
}

/** The same command, not yet answered. */
export function again<C extends Command>(command: C): C {
  return { ...command, outcome: undefined }
}
