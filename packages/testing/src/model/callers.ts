import {
  type AcquireCommand,
  type Command,
  type HolderId,
  type LimitProposal,
  type Phase,
  type RepositoryKey,
  type RunKey,
  ticketSource,
} from '@slotkeeper/core/driver'
import type { Model } from './model.ts'
import { type Asked, CALLERS, type Kind, type Program } from './program.ts'

/** Keys that become one where a driver cuts, folds or takes `_` and `%` for more than they are. */
const NAMES_OF_REPOSITORIES = ['api', 'API', 'api-2']
export const RUNS: readonly RunKey[] = [
  'acme/a',
  'acme/b',
  'acme/A',
  'acme/a_',
  'acme/ab',
  'acme/a%',
  'acme/a ',
]

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

const AUDIT = { actor: 'ops', reason: 'stuck' }
const TIMES = { claimTimeoutMs: 40, leaseTtlMs: 60 }
const NAMES = ['ann', 'bob', 'cyd', 'dee']

interface Caller {
  readonly name: string
  readonly ticket: () => string
  holder: HolderId | undefined
  opened: number
}

/** The repositories of a sequence. A store that has seen others before has them in another namespace. */
export function repositoriesOf(sequence: number): readonly RepositoryKey[] {
  return NAMES_OF_REPOSITORIES.map((name): RepositoryKey => `acme${sequence || ''}/${name}`)
}

/** Those who ask: what they know, and the commands that they send. */
export class Callers {
  readonly #model: Model
  readonly #limits: Program['limits']
  readonly #repositories: readonly RepositoryKey[]
  readonly #callers: readonly Caller[]
  readonly #sent: Command[] = []

  constructor(model: Model, limits: Program['limits'], sequence: number) {
    this.#model = model
    this.#repositories = repositoriesOf(sequence)
    this.#limits = limits
    this.#callers = NAMES.slice(0, CALLERS).map((who) => {
      // Neither a holder nor a ticket is ever used again.
      const name = `${who}${sequence || ''}`
      return { name, ticket: ticketSource(name), holder: undefined, opened: 0 }
    })
  }

  holderOf(caller: number): HolderId | undefined {
    return this.#callers[caller]?.holder
  }

  /** An id for the caller's next holder, which it has from now on. */
  nextHolder(caller: number): HolderId {
    const of = this.#callers[caller] as Caller
    of.holder = `${of.name}-${++of.opened}` as HolderId
    return of.holder
  }

  /** Callers that must open a holder before these are sent: those without one, and those who know that theirs is lost. */
  without(asked: readonly Asked[]): number[] {
    const timed = asked.filter(({ kind }) => /acquire|claim|adopt|withdraw/.test(kind))
    const callers = timed.filter(({ caller, aim }) => {
      const { holder } = this.#callers[caller] as Caller
      return holder === undefined || (aim < 8 && this.#model.isGone(holder))
    })
    return [...new Set(callers.map(({ caller }) => caller))]
  }

  /** The commands that drawn numbers stand for now. */
  commands(repository: RepositoryKey, asked: readonly Asked[]): Command[] {
    const commands = asked.map((one) => this.#command(repository, one))
    this.#sent.push(...commands)
    return commands
  }

  /** The same commands once more; with `rehomed` by the next holders of their Managers, else as duplicates on the wire. */
  again<C extends Command>(commands: readonly C[], rehomed: boolean): C[] {
    return commands.map((command) => {
      const copy = { ...command, outcome: undefined }
      const holder = rehomed && 'holder' in copy ? this.#callerOf(copy.ticket)?.holder : undefined
      return holder === undefined ? copy : { ...copy, holder }
    })
  }

  #callerOf(ticket: string): Caller | undefined {
    return this.#callers.find(({ name }) => ticket.startsWith(`${name}.`))
  }

  #command(repository: RepositoryKey, asked: Asked): Command {
    const { late, aim, mode, durable, priority, runUid, ms } = asked
    const old = late > 0 ? this.#sent.at(-late) : undefined
    if (old?.repository === repository) return this.again([old], aim < 7)[0] as Command
    const caller = this.#callers[asked.caller] as Caller
    const run = this.#run(repository, asked)
    const row = this.#model.store.row(repository, run)
    const ticket = caller.ticket()
    const outcome = undefined
    const ofRepository = { repository, ticket, outcome }
    const ofRun = { ...ofRepository, run }
    const validUntil = aim === 9 ? this.#model.now + ms - 20 : 0
    const timed = { holder: caller.holder ?? ('nobody' as HolderId), validUntil }
    const token = (row?.token ?? 0) + (aim < 7 ? 0 : aim === 7 ? -1 : 1_000_000)
    switch (asked.kind) {
      case 'acquire':
        return {
          kind: 'acquire',
          ...ofRun,
          ...timed,
          ...TIMES,
          mode,
          proposal: this.#proposal(repository, asked),
          runUid,
          durable: durable || mode === 'enqueue',
          priority,
          maxHoldMs: aim === 6 ? ms : 0,
          meta: asked.noted ? { note: "it's 100 %" } : undefined,
        }
      case 'claim':
        return { kind: 'claim', ...ofRun, ...timed, token }
      case 'adopt':
        return { kind: 'adopt', ...ofRun, ...timed, beyond: undefined }
      case 'adopt-beyond':
        return { kind: 'adopt', ...ofRun, ...timed, beyond: { runUid, ...TIMES } }
      case 'requeue':
        return { kind: 'requeue', ...ofRun, token, delayMs: ms }
      case 'release':
        return {
          kind: 'release',
          ...ofRun,
          token,
          state: aim % 2 === 0 ? 'completed' : 'failed',
          force: aim === 3 ? AUDIT : undefined,
        }
      case 'finish':
        return { kind: 'finish', ...ofRun, state: aim === 0 ? 'cancelled' : 'completed' }
      case 'withdraw':
        return {
          kind: 'withdraw',
          ...ofRun,
          orphan: durable,
          of: this.#ticketOf(repository, run, aim, caller),
        }
      case 'remove':
        return { kind: 'remove', ...ofRun }
      case 'run-state': {
        const state = (['queued', 'started', 'completed', 'failed'] as const)[aim % 4] ?? 'queued'
        return { kind: 'run-state', ...ofRun, runUid, state }
      }
      case 'repository-state':
        return {
          kind: 'repository-state',
          ...ofRepository,
          state: aim < 6 ? 'active' : aim < 8 ? 'paused' : 'draining',
          audit: aim % 2 === 0 ? AUDIT : undefined,
        }
      case 'limit': {
        const proposal = this.#proposal(repository, asked)
        return {
          kind: 'limit',
          ...ofRepository,
          source: aim < 6 ? 'local' : 'global',
          proposal,
          audit: aim === 0 ? AUDIT : undefined,
        }
      }
      case 'remove-repository':
        return { kind: 'remove-repository', ...ofRepository, uid: asked.uid }
      case 'watch':
        return { kind: 'watch', ...ofRepository, forMs: ms * 10 }
    }
  }

  /** Mostly a run that the command is meant for. */
  #run(repository: RepositoryKey, { kind, run, aim }: Asked): RunKey {
    const phases = MEANT_FOR[kind]
    if (phases !== undefined && aim < 8) {
      const rows = [...this.#model.store.rowsOf(repository)].filter(({ phase }) => phases.includes(phase))
      const row = rows[run % Math.max(1, rows.length)]
      if (row !== undefined) return row.run
    }
    return RUNS[run % RUNS.length] as RunKey
  }

  /** A ticket to withdraw: the row's, the one that its slot was given to, an earlier one, or one that is still under way. */
  #ticketOf(repository: RepositoryKey, run: RunKey, aim: number, caller: Caller): string {
    const row = this.#model.store.row(repository, run)
    const old = this.#sent.findLast(
      (command): command is AcquireCommand =>
        command.kind === 'acquire' && command.run === run && command.repository === repository,
    )
    const of =
      aim < 3 ? row?.ticket : aim < 6 ? (row?.grantedTo ?? row?.ticket) : aim < 8 ? old?.ticket : undefined
    return of ?? caller.ticket()
  }

  #proposal(repository: RepositoryKey, { limit, uid, generation }: Asked): LimitProposal {
    const base = this.#limits[this.#repositories.indexOf(repository)] ?? null
    return { limit: limit === undefined ? base : limit, uid, generation }
  }
}
