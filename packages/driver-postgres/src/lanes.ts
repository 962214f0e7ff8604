import type { Decide, DomainBatch, SlotkeeperError } from '@slotkeeper/core/driver'

/** One domain's batch on its way. */
export interface Work {
  readonly batch: DomainBatch
  readonly decide: Decide
  /** Whoever asked is answered already, or gave up. */
  readonly isOver: boolean
  /** Answers whoever asked. */
  finish(error?: SlotkeeperError): void
}

/** Batches that leave together at most: each takes a lock in the server's table of locks, which has room for some thousands. */
const MOST_TOGETHER = 128
/** Fewer are not worth a flight of their own beside another. */
const FEWEST_BESIDE = 4
/** A flight that takes longer than this, in ms, waits for somebody; the others do not wait with it. */
const SLOW_MS = 20

/**
 * Lets batches that come while others are on their way leave together, in two flights, so that the server is at work on one of them while this
 * process is on the other: few connections with large transactions do more than many with small ones. A further flight leaves beside them
 * only when it is full, or when one of them is held up.
 */
export class Lanes {
  readonly #fly: (works: readonly Work[], signal: AbortSignal) => Promise<void>
  readonly #coded: (error: unknown, domain: string) => SlotkeeperError
  #waiting: Work[] = []
  #quick = 0

  constructor(
    fly: (works: readonly Work[], signal: AbortSignal) => Promise<void>,
    coded: (error: unknown, domain: string) => SlotkeeperError,
  ) {
    this.#fly = fly
    this.#coded = coded
  }

  /** Resolves when every batch has its answer, also when the signal aborts first. */
  take(batches: readonly DomainBatch[], decide: Decide, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      if (batches.length === 0) return resolve()
      let left = batches.length
      const works = batches.map(
        (batch) =>
          new Waiting(batch, decide, () => {
            if (--left > 0) return
            signal?.removeEventListener('abort', onAbort)
            resolve()
          }),
      )
      const onAbort = () => {
        for (const work of works)
          if (!work.isOver) {
            work.finish(this.#coded(signal?.reason, work.batch.domain))
            work.onGivenUp?.(signal?.reason)
          }
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      if (signal?.aborted === true) return onAbort()
      this.#waiting.push(...works)
      this.#flush()
    })
  }

  #flush(): void {
    for (let most = this.#room(); most > 0; most = this.#room()) {
      const together: Work[] = []
      const later: Work[] = []
      const domains = new Set<string>()
      for (const work of this.#waiting) {
        if (work.isOver) continue
        // A domain's second batch has to see what its first one did.
        if (together.length === most || domains.has(work.batch.domain)) later.push(work)
        else {
          domains.add(work.batch.domain)
          together.push(work)
        }
      }
      this.#waiting = later
      if (together.length > 0) void this.#send(together)
    }
  }

  /** How many of those that wait may leave now. */
  #room(): number {
    const { length } = this.#waiting
    if (length >= MOST_TOGETHER) return MOST_TOGETHER
    if (this.#quick === 0) return length >= 2 * FEWEST_BESIDE ? Math.ceil(length / 2) : length
    return this.#quick === 1 && length >= FEWEST_BESIDE ? length : 0
  }

  async #send(works: readonly Work[]): Promise<void> {
    this.#quick++
    let isQuick = true
    const noLongerQuick = () => {
      if (!isQuick) return
      isQuick = false
      this.#quick--
      this.#flush()
    }
    const timer = setTimeout(noLongerQuick, SLOW_MS).unref()
    const controller = new AbortController()
    const onGivenUp = (reason: unknown) => {
      if (works.every(({ isOver }) => isOver)) controller.abort(reason)
    }
    for (const work of works as readonly Waiting[]) work.onGivenUp = onGivenUp
    try {
      await this.#fly(works, controller.signal)
    } catch (error) {
      for (const work of works) if (!work.isOver) work.finish(this.#coded(error, work.batch.domain))
    } finally {
      clearTimeout(timer)
      noLongerQuick()
    }
  }
}

class Waiting implements Work {
  readonly batch: DomainBatch
  readonly decide: Decide
  isOver = false
  /** Called when whoever asked wants no answer any more. */
  onGivenUp: ((reason: unknown) => void) | undefined
  readonly #settle: () => void

  constructor(batch: DomainBatch, decide: Decide, settle: () => void) {
    this.batch = batch
    this.decide = decide
    this.#settle = settle
  }

  finish(error?: SlotkeeperError): void {
    if (this.isOver) return
    this.isOver = true
    if (error !== undefined) this.batch.error = error
    this.batch.done()
    this.#settle()
  }
}
