import {
  type Decide,
  type DomainBatch,
  type Driver,
  type Health,
  type HolderId,
  type HolderTerm,
  ManagerClosedError,
  type Manifest,
  type OpenOptions,
  type Query,
  type Snapshot,
  StoreError,
  type Sweep,
  type WatchEvent,
  type WatchOptions,
} from '@slotkeeper/core/driver'
import { copyBatch } from './copy-batch.ts'

/** The calls that faults can be put on. */
export type FaultyCall =
  | 'open'
  | 'transact'
  | 'read'
  | 'openHolder'
  | 'heartbeat'
  | 'closeHolder'
  | 'sweep'
  | 'watch'
  | 'health'

const CALLS: readonly FaultyCall[] = [
  'open',
  'transact',
  'read',
  'openHolder',
  'heartbeat',
  'closeHolder',
  'sweep',
  'watch',
  'health',
]

/** Which calls a fault is put on, and for how many of them. */
export interface FaultOptions {
  /** Default: all. */
  readonly calls?: readonly FaultyCall[]
  /** After so many calls each method is well again. Default: until `heal`. */
  readonly times?: number
}

/** What `faultyDriver` changes about the driver that it wraps. */
export interface FaultyDriverOptions {
  /**
   * Whether calls answer with promises. Default: as the wrapped driver does. With `true` a synchronous driver is used as one behind a
   * network would be, so that its answers can be late and lost.
   */
  readonly asynchronous?: boolean
  /** Facts to tell instead of the wrapped driver's, such as `backstopMs: Infinity` to have nothing but hints wake anybody. */
  readonly manifest?: Partial<Manifest>
}

interface Fault {
  readonly kind: 'hang' | 'fail' | 'lose' | 'lose-silently' | 'delay'
  readonly ms: number
  left: number
}

/**
 * Wraps a driver so that it can be made to fail as networks, processes and machines fail. Well until told otherwise. A synchronous
 * driver cannot keep its caller waiting: where another would hang, it throws.
 */
export function faultyDriver(driver: Driver, options: FaultyDriverOptions = {}): FaultyDriver {
  return new FaultyDriver(driver, options)
}

/** A driver with faults; see `faultyDriver`. */
export class FaultyDriver implements Driver {
  readonly name: string
  readonly manifest: Manifest
  /** How often each method was called, faults or not. */
  readonly called: Record<FaultyCall, number>
  readonly #inner: Driver
  readonly #faults = new Map<FaultyCall, Fault>()
  readonly #hanging = new Set<(error: unknown) => void>()
  readonly #watches = new Set<(error: unknown) => void>()
  #recorded: { readonly batch: readonly DomainBatch[]; readonly decide: Decide }[] = []
  #recording = false
  #muted = false
  #crashed = false
  #ended = false

  /** Made by `faultyDriver`. */
  constructor(driver: Driver, options: FaultyDriverOptions) {
    this.#inner = driver
    this.name = driver.name
    const synchronous = driver.manifest.synchronous && options.asynchronous !== true
    this.manifest = { ...driver.manifest, ...options.manifest, synchronous }
    this.called = Object.fromEntries(CALLS.map((call) => [call, 0])) as Record<FaultyCall, number>
  }

  /** The process dies here: nothing that it does from now on reaches the store, and it hears nothing more. For ever. */
  crash(): void {
    this.#crashed = true
  }

  /** Calls reach nobody and get no answer, until they are aborted. */
  hang(options: FaultOptions = {}): void {
    this.#put('hang', options)
  }

  /** Calls reach nobody and fail with a retryable error. */
  fail(options: FaultOptions = {}): void {
    this.#put('fail', options)
  }

  /** Calls do their work in the store, then fail with a retryable error; `silently`: get no answer until they are aborted. */
  loseAnswers(options: FaultOptions & { readonly silently?: boolean } = {}): void {
    this.#put(options.silently === true ? 'lose-silently' : 'lose', options)
  }

  /** Calls do their work in the store at once; their answers take `ms`. */
  delayAnswers(ms: number, options: FaultOptions = {}): void {
    this.#put('delay', options, ms)
  }

  /** Watches that are open fail now, as when a connection breaks. */
  breakWatches(): void {
    for (const fail of [...this.#watches]) fail(unavailable('watch'))
  }

  /** Watches go on, and tell nothing. */
  muteWatches(): void {
    this.#muted = true
  }

  /** Keeps a copy of every `transact` from now on, as it was sent. */
  recordCalls(): void {
    this.#recording = true
  }

  /** Delivers the recorded `transact` calls a second time, in their order or the reverse, as a network with a memory would. */
  async deliverAgain(order: 'same' | 'reverse' = 'same'): Promise<void> {
    const recorded = order === 'same' ? this.#recorded : [...this.#recorded].reverse()
    this.#recorded = []
    for (const { batch, decide } of recorded) await this.#inner.transact(copyBatch(batch), decide)
  }

  /** Everything is well from now on, but for a crash, which is final. Calls that hang go on hanging. */
  heal(): void {
    this.#faults.clear()
    this.#muted = false
  }

  /** Tidies up at the end of a test: whatever hangs, and every later call, is rejected at once. */
  end(): void {
    this.#ended = true
    for (const reject of [...this.#hanging]) reject(gone())
    for (const fail of [...this.#watches]) fail(gone())
  }

  open(options: OpenOptions, signal?: AbortSignal): void | Promise<void> {
    return this.#call('open', signal, () => this.#inner.open(options, signal))
  }

  transact(batch: readonly DomainBatch[], decide: Decide, signal?: AbortSignal): void | Promise<void> {
    if (this.#recording) this.#recorded.push({ batch: copyBatch(batch), decide })
    // Where the answer is to be lost, the store must not write it into what the caller looks at.
    const losing = this.#faults.get('transact')
    const sent = losing?.kind === 'lose' || losing?.kind === 'lose-silently' ? copyBatch(batch) : batch
    return this.#call('transact', signal, () => this.#inner.transact(sent, decide, signal))
  }

  /** As of the driver inside, unless a fault is set. */
  read(query: Query, signal?: AbortSignal): Snapshot | Promise<Snapshot> {
    return this.#call('read', signal, () => this.#inner.read(query, signal))
  }

  openHolder(holder: HolderId, ttlMs: number, signal?: AbortSignal): HolderTerm | Promise<HolderTerm> {
    return this.#call('openHolder', signal, () => this.#inner.openHolder(holder, ttlMs, signal))
  }

  heartbeat(holder: HolderId, signal?: AbortSignal): HolderTerm | Promise<HolderTerm> {
    return this.#call('heartbeat', signal, () => this.#inner.heartbeat(holder, signal))
  }

  closeHolder(holder: HolderId, signal?: AbortSignal): void | Promise<void> {
    return this.#call('closeHolder', signal, () => this.#inner.closeHolder(holder, signal))
  }

  sweep(budget: number, signal?: AbortSignal): Sweep | Promise<Sweep> {
    return this.#call('sweep', signal, () => this.#inner.sweep(budget, signal))
  }

  /** As of the driver inside, unless a fault is set. */
  health(signal?: AbortSignal): Health | Promise<Health> {
    return this.#call('health', signal, () => this.#inner.health(signal))
  }

  async *watch(options: WatchOptions): AsyncGenerator<WatchEvent, void> {
    await this.#call('watch', options.signal, () => {})
    const hints = this.#inner.watch(options)[Symbol.asyncIterator]()
    let fail: (error: unknown) => void = () => {}
    const broken = new Promise<never>((_, reject) => {
      fail = reject
    })
    broken.catch(() => {})
    this.#watches.add(fail)
    try {
      for (;;) {
        const next = await Promise.race([hints.next(), broken])
        if (next.done === true) return
        if (this.#crashed) await this.#forEver(options.signal)
        if (!this.#muted) yield next.value
      }
    } finally {
      this.#watches.delete(fail)
      await hints.return?.()
    }
  }

  /** Ends the wrapped driver's connections, as the end of a process does; no fault prevents it. */
  close(): void | Promise<void> {
    this.end()
    return this.#inner.close()
  }

  #put(kind: Fault['kind'], { calls = CALLS, times = Number.POSITIVE_INFINITY }: FaultOptions, ms = 0): void {
    for (const call of calls) this.#faults.set(call, { kind, ms, left: times })
  }

  #call<T>(call: FaultyCall, signal: AbortSignal | undefined, inner: () => T | Promise<T>): T | Promise<T> {
    this.called[call]++
    const fault = this.#take(call)
    if (this.manifest.synchronous) return this.#now(call, fault, inner)
    return this.#later(call, fault, signal, inner)
  }

  #take(call: FaultyCall): Fault | undefined {
    const fault = this.#faults.get(call)
    if (fault !== undefined && --fault.left <= 0) this.#faults.delete(call)
    return fault
  }

  #now<T>(call: FaultyCall, fault: Fault | undefined, inner: () => T): T {
    if (this.#ended) throw gone()
    if (this.#crashed || fault?.kind === 'hang' || fault?.kind === 'fail') throw unavailable(call)
    const answer = inner()
    if (fault?.kind === 'lose' || fault?.kind === 'lose-silently') throw unavailable(call)
    return answer
  }

  async #later<T>(
    call: FaultyCall,
    fault: Fault | undefined,
    signal: AbortSignal | undefined,
    inner: () => T | Promise<T>,
  ): Promise<T> {
    if (this.#ended) throw gone()
    if (this.#crashed || fault?.kind === 'hang') return this.#forEver(signal)
    if (fault?.kind === 'fail') throw unavailable(call)
    const answer = await inner()
    if (this.#crashed || fault?.kind === 'lose-silently') return this.#forEver(signal)
    if (fault?.kind === 'lose') throw unavailable(call)
    if (fault?.kind === 'delay') await this.#sleep(fault.ms)
    return answer
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer)
        this.#hanging.delete(stop)
        settle()
      }
      const stop = (error: unknown) => finish(() => reject(error))
      const timer = setTimeout(() => finish(resolve), ms)
      this.#hanging.add(stop)
    })
  }

  /** Settles only by an abort or by the end of the test. */
  #forEver(signal: AbortSignal | undefined): Promise<never> {
    return new Promise((_, reject) => {
      const stop = (error: unknown) => {
        this.#hanging.delete(stop)
        signal?.removeEventListener('abort', abort)
        reject(error)
      }
      const abort = () => stop(signal?.reason)
      if (this.#ended) return reject(gone())
      this.#hanging.add(stop)
      signal?.addEventListener('abort', abort, { once: true })
      if (signal?.aborted === true) abort()
    })
  }
}

function unavailable(call: FaultyCall): StoreError {
  return new StoreError(
    'SLOTKEEPER_STORE_UNAVAILABLE',
    `A fault was put on ${call}: the store cannot be reached.`,
  )
}

function gone(): ManagerClosedError {
  return new ManagerClosedError('The faulty driver was ended.')
}
