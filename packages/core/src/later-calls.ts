import { Batcher, type BatcherHost, backOffMs } from './batcher.ts'
import { CallLimits } from './call-limits.ts'
import { type CallOptions, pause } from './call-options.ts'
import type { Command } from './commands.ts'
import { CallTimeoutError, isSlotkeeperError, type SlotkeeperError } from './errors.ts'
import type { HolderKeeper } from './holder-keeper.ts'
import type { HolderId } from './keys.ts'
import type { Logger } from './logger.ts'
import type { ResolvedOptions } from './manager-options.ts'
import type { MetricLabels, Metrics } from './metrics.ts'
import type { OutcomeOf } from './outcome-of.ts'

/** What these calls need from the Manager that makes them. */
export interface LaterCallsHost extends BatcherHost {
  readonly options: ResolvedOptions
  readonly keeper: HolderKeeper
  readonly logger: Logger
  readonly metrics: Metrics
  readonly labels: MetricLabels
  readonly random: () => number
  /** Opens the store. */
  open(): void | Promise<void>
  /** A commit may have happened of which there was no answer. */
  doubted(): void
}

/** The way to a driver that takes its time, and back: batched, limited in time, asked again after failures that pass. */
export class LaterCalls {
  /** Tickets of calls whose answers are awaited. */
  readonly asking = new Set<string>()
  readonly #host: LaterCallsHost
  readonly #batcher: Batcher
  readonly #limits: CallLimits

  constructor(host: LaterCallsHost) {
    this.#host = host
    this.#batcher = new Batcher(host)
    this.#limits = new CallLimits(host.clock, host.closing)
  }

  /**
   * Sends a command and gives its outcome. Asks again, with the same ticket, after failures that may pass, until the time is over. Also goes
   * on while the Manager closes, for what must be tidied up.
   */
  async perform<C extends Command>(asked: C, options?: CallOptions): Promise<OutcomeOf<C>> {
    const { ticket } = asked
    this.asking.add(ticket)
    try {
      return await this.#insist(asked, options, (timeoutMs, leftMs) =>
        this.#ask(asked, timeoutMs, leftMs, options?.signal),
      )
    } finally {
      this.asking.delete(ticket)
    }
  }

  /** The same for a list of commands of one repository; when one fails for good, so do those after it. */
  async performAll<C extends Command>(
    commands: readonly C[],
    options: CallOptions | undefined,
  ): Promise<readonly PromiseSettledResult<OutcomeOf<C>>[]> {
    const { budget } = this.#host.driver.manifest
    const results: PromiseSettledResult<OutcomeOf<C>>[] = []
    let failure: PromiseRejectedResult | undefined
    for (let at = 0; at < commands.length && failure === undefined; at += budget) {
      results.push(...(await this.#performPiece(commands.slice(at, at + budget), options)))
      failure = results.find((result) => result.status === 'rejected')
    }
    while (failure !== undefined && results.length < commands.length) results.push(failure)
    return results
  }

  /** As many commands as one commit may take: those that failed are asked again together, so that none passes another. */
  async #performPiece<C extends Command>(
    piece: readonly C[],
    options: CallOptions | undefined,
  ): Promise<PromiseSettledResult<OutcomeOf<C>>[]> {
    const outcomes = new Map<C, OutcomeOf<C>>()
    const askThose = async (timeoutMs: number, leftMs: number) => {
      const list = {}
      const asked = piece.filter((command) => !outcomes.has(command))
      const answers = await Promise.allSettled(
        asked.map(async (command) => {
          const outcome = await this.#ask(command, timeoutMs, leftMs, options?.signal, list)
          if (outcome !== undefined) outcomes.set(command, outcome)
        }),
      )
      for (const answer of answers) if (answer.status === 'rejected') throw answer.reason
      return outcomes.size === piece.length ? outcomes : undefined
    }
    for (const { ticket } of piece) this.asking.add(ticket)
    let reason: unknown
    try {
      await this.#insist(piece[0] as C, options, askThose)
    } catch (error) {
      reason = error
    } finally {
      for (const { ticket } of piece) this.asking.delete(ticket)
    }
    return piece.map((command) => {
      const value = outcomes.get(command)
      return value === undefined ? { status: 'rejected', reason } : { status: 'fulfilled', value }
    })
  }

  /** Asks until there is an answer: again, with the same tickets, after a failure that may pass or another holder, while there is time. */
  async #insist<T>(
    asked: Command,
    options: CallOptions | undefined,
    ask: (timeoutMs: number, leftMs: number) => Promise<T | undefined>,
  ): Promise<T> {
    const { clock, closing } = this.#host
    const timeoutMs = options?.timeoutMs ?? this.#host.callTimeoutMs
    const until = clock.monotonic() + timeoutMs
    let failure: SlotkeeperError | undefined
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await ask(timeoutMs, Math.max(until - clock.monotonic(), 0))
        if (answer !== undefined) {
          // What an earlier attempt brought about besides its outcome was told to nobody.
          if (failure !== undefined) this.#host.doubted()
          return answer
        }
      } catch (error) {
        const retryable = isSlotkeeperError(error) && error.retryable
        if (!retryable || options?.signal?.aborted || closing.aborted) throw error
        if (isSlotkeeperError(error, 'SLOTKEEPER_CALL_TIMEOUT') && clock.monotonic() >= until)
          throw failure ?? error
        failure = error
        this.#tellFailure(asked, attempt, error)
      }
      const waitMs = backOffMs(attempt, this.#host.random)
      if (clock.monotonic() + waitMs >= until) throw failure ?? new CallTimeoutError(nameOf(asked), timeoutMs)
      await pause(clock, waitMs, closing)
    }
  }

  #tellFailure({ kind, repository }: Command, attempt: number, error: SlotkeeperError): void {
    const { code } = error
    const { metrics, labels, logger } = this.#host
    metrics.count('slotkeeper_store_errors_total', { ...labels, code })
    logger.warn(
      { event: 'store-error', command: kind, repository, attempt, code, error },
      'the store failed; asking again',
    )
  }

  /** Asks once. `undefined`: the holder was dead, and it is another one's turn. */
  async #ask<C extends Command>(
    asked: C,
    timeoutMs: number,
    leftMs: number,
    signal: AbortSignal | undefined,
    list?: object,
  ): Promise<OutcomeOf<C> | undefined> {
    const command: C = { ...asked, outcome: undefined }
    await this.#attempt(command, timeoutMs, leftMs, signal, list)
    const outcome = command.outcome as OutcomeOf<C>
    if (outcome.kind === 'too-late') throw new CallTimeoutError(nameOf(asked), timeoutMs)
    if (outcome.kind !== 'holder-dead') return outcome
    this.#host.keeper.giveUp('holder-lost', (command as { holder?: HolderId }).holder)
    return undefined
  }

  /** One try: settles when the command's outcome is written, or when `leftMs` of its `timeoutMs` are over. */
  #attempt(
    command: Command,
    timeoutMs: number,
    leftMs: number,
    signal: AbortSignal | undefined,
    list: object | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false
      const fail = (error: unknown) => {
        over = true
        reject(error)
      }
      const end = this.#limits.begin({
        ms: leftMs,
        expired: () => new CallTimeoutError(nameOf(command), Math.round(leftMs)),
        signal,
        reject: fail,
      })
      const failed = (error: unknown) => {
        if (end()) fail(error)
      }
      const send = (holder: HolderId | undefined) => {
        // Once the attempt is over nothing may go out any more: its withdrawal may have gone out already.
        if (over) return
        if ('holder' in command) {
          command.holder = holder as HolderId
          // Slack, because store time may be told a heartbeat late.
          command.validUntil =
            this.#host.keeper.storeNow() +
            timeoutMs +
            this.#host.options.holderTtlMs / 3 +
            this.#host.driver.manifest.clockLagMs
        }
        this.#batcher.add(command.repository, {
          command,
          resolve: () => {
            if (end()) resolve()
          },
          reject: failed,
          list,
        })
      }
      const ready = this.#ready('holder' in command)
      if (ready instanceof Promise) ready.then(send, failed)
      else send(ready)
    })
  }

  /** The store is open and, if one is needed, there is a holder; at once where it was so before. */
  #ready(needsHolder: boolean): HolderId | undefined | Promise<HolderId | undefined> {
    const opened = this.#host.open()
    if (opened instanceof Promise) return opened.then(() => this.#ready(needsHolder))
    return needsHolder ? this.#host.keeper.ensure() : undefined
  }

  /** Decides for a domain without commands. */
  nudge(domain: string): void {
    this.#batcher.nudge(domain)
  }
}

function nameOf(command: Command): string {
  return `${command.kind} ${command.repository}${'run' in command ? ` ${command.run}` : ''}`
}
