import { type CallOptions, checkCallOptions } from './call-options.ts'
import { MOST_MS } from './clock.ts'
import type { AcquireCommand } from './commands.ts'
import type { Engine } from './engine.ts'
import { InvalidArgumentError } from './errors.ts'
import { checkKey, type HolderId, type RepositoryKey, type RunKey, textProblem } from './keys.ts'
import { checkUid, describeRepository, type Repository } from './repository.ts'
import type { LimitProposal } from './rows.ts'

/** What a caller asks for. */
export interface SlotRequest extends CallOptions {
  readonly repository: Repository
  readonly run: RunKey
  /** One life of the run: with a uid, an attempt that has ended is never queued again. */
  readonly runUid?: string
  /** Higher goes first, equals in the order of their first asking. A whole number; default 0. */
  readonly priority?: number
  /** Kept with the run and shown to people, up to 4 kB as JSON. Never put a secret here. */
  readonly meta?: Readonly<Record<string, string>>
  /** Outlives this Manager: a dead controller is not a dead run. Default false: ends when this Manager's heartbeats do. */
  readonly durable?: boolean
  /** The longest time the slot may be held, in ms of store time; the signal aborts a little earlier. Default: no limit. */
  readonly maxHoldMs?: number
}

const MAX_META_BYTES = 4096

/**
 * Checks a request and makes the command of it.
 * @throws InvalidArgumentError naming the field that is wrong
 */
export function acquireCommand(
  engine: Engine,
  request: SlotRequest,
  mode: AcquireCommand['mode'],
): AcquireCommand {
  if (typeof request !== 'object' || request === null)
    throw new InvalidArgumentError('The request is not an object with repository and run.')
  checkCallOptions(request)
  const { key, proposal } = describeRepository(request.repository)
  const { run, runUid, priority, meta, durable, maxHoldMs } = request
  checkKey(run, 'run')
  checkUid(runUid, 'runUid')
  if (durable !== undefined && typeof durable !== 'boolean')
    throw new InvalidArgumentError(`durable is ${String(durable)}: it must be true or false.`)
  if (maxHoldMs !== undefined && !(typeof maxHoldMs === 'number' && maxHoldMs >= 1 && maxHoldMs <= MOST_MS))
    throw new InvalidArgumentError(
      `maxHoldMs is ${String(maxHoldMs)}: it must be a number of milliseconds from 1 to ${MOST_MS}.`,
    )
  const { claimTimeoutMs, leaseTtlMs } = engine.options
  return {
    kind: 'acquire',
    repository: key,
    run,
    mode,
    ticket: engine.ticket(),
    holder: '' as HolderId,
    validUntil: 0,
    proposal,
    runUid,
    durable: durable ?? false,
    priority: checkPriority(priority),
    maxHoldMs: maxHoldMs ?? 0,
    claimTimeoutMs,
    leaseTtlMs,
    meta: checkMeta(meta),
    outcome: undefined,
  }
}

/** Whether a request says no more than a run and how long to wait for it, as nearly all do. */
export function isPlain(request: SlotRequest): boolean {
  const { runUid, priority, meta, durable, maxHoldMs } = request
  return (
    runUid === undefined &&
    priority === undefined &&
    meta === undefined &&
    durable === undefined &&
    maxHoldMs === undefined
  )
}

/** The command of a plain request. A store of this process is asked with the same one again and again. */
export class PlainAcquire implements AcquireCommand {
  readonly kind = 'acquire'
  repository = '' as RepositoryKey
  run = '' as RunKey
  mode: AcquireCommand['mode'] = 'try'
  ticket = ''
  holder = '' as HolderId
  readonly validUntil = 0
  proposal: LimitProposal = NO_OPINION
  readonly runUid = undefined
  readonly durable = false
  readonly priority = 0
  readonly maxHoldMs = 0
  readonly claimTimeoutMs: number
  readonly leaseTtlMs: number
  readonly meta = undefined
  readonly outcome = undefined

  constructor({ claimTimeoutMs, leaseTtlMs }: Pick<AcquireCommand, 'claimTimeoutMs' | 'leaseTtlMs'>) {
    this.claimTimeoutMs = claimTimeoutMs
    this.leaseTtlMs = leaseTtlMs
  }
}

const NO_OPINION: LimitProposal = Object.freeze({ limit: null })

/** @throws InvalidArgumentError unless it is a whole number of 32 bits */
export function checkPriority(priority: unknown): number {
  if (priority === undefined) return 0
  if (typeof priority === 'number' && (priority | 0) === priority) return priority
  throw new InvalidArgumentError(
    `priority is ${String(priority)}: it must be a whole number from ${-(2 ** 31)} to ${2 ** 31 - 1}.`,
  )
}

/** @throws InvalidArgumentError unless it is an object of text values that every store keeps */
export function checkMeta(meta: unknown): Readonly<Record<string, string>> | undefined {
  if (meta === undefined) return undefined
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta))
    throw new InvalidArgumentError('meta must be an object of text values.')
  const copy: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(meta)) {
    if (typeof value !== 'string')
      throw new InvalidArgumentError(`meta.${name} is ${typeof value}: it must be text.`)
    const problem =
      textProblem(name) ??
      (value.includes('\0') || !value.isWellFormed() ? 'it has characters that cannot be stored' : undefined)
    if (problem !== undefined) throw new InvalidArgumentError(`meta.${name} cannot be stored: ${problem}.`)
    copy[name] = value
  }
  if (Buffer.byteLength(JSON.stringify(copy)) > MAX_META_BYTES)
    throw new InvalidArgumentError(`meta is larger than ${MAX_META_BYTES} bytes as JSON.`)
  return copy
}
