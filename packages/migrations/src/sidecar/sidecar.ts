import { rm, writeFile } from 'node:fs/promises'
import { isSlotkeeperError, type Logger, type SlotkeeperError } from '@slotkeeper/core'
import { askOnce } from '../ask-once.ts'
import type { Settings } from '../command/settings.ts'
import { configOf } from '../database.ts'
import { ensureDatabase } from '../ensure-database.ts'
import { migrate } from '../migrate.ts'
import { MigrationFailedError } from '../migration-errors.ts'

/** What the sidecar is at. */
export interface SidecarState {
  /** `waiting` for the database, `migrating`, `ready`, or `failed` and trying again. */
  readonly phase: 'waiting' | 'migrating' | 'ready' | 'failed'
  readonly since: Date
  /** The file under way, or the one that failed. */
  readonly file?: string
  readonly statement?: number
  readonly line?: number
  readonly column?: number
  readonly error?: { readonly code: string; readonly message: string }
  /** How many files are applied, when all are. */
  readonly total?: number
}

/** Between looks at files and ledger while all is well, so that a database that was put back from a backup is noticed. */
const LOOK_EVERY_MS = 30_000
const LONGEST_PAUSE_MS = 30_000
/** Failures after which nobody knows whether the right database is there at all. */
const NOT_LET_IN = [
  'SLOTKEEPER_STORE_UNAVAILABLE',
  'SLOTKEEPER_STORE_PERMISSION',
  'SLOTKEEPER_STORE_TLS',
] as const
const ANSWER_MS = 2_000

/**
 * Keeps a database at what the files say: makes it, applies everything, and again whenever files change, the database comes back,
 * or half a minute has passed. A file that fails is tried again at growing intervals, and at once when the files change.
 */
export class Sidecar {
  readonly #settings: Settings
  readonly #logger: Logger
  readonly #signal: AbortSignal
  #state: SidecarState = { phase: 'waiting', since: new Date() }
  #wake: (() => void) | undefined
  #isAwake = false
  #answering: Promise<boolean> | undefined

  constructor(settings: Settings, logger: Logger, signal: AbortSignal) {
    this.#settings = settings
    this.#logger = logger
    this.#signal = signal
  }

  get state(): SidecarState {
    return this.#state
  }

  /** What messages call the place of the files. */
  get source(): string {
    return this.#settings.source.description
  }

  /**
   * Runs until the signal aborts.
   * @throws StoreError when the database could not be reached once within `postgresTimeoutMs`
   */
  async run(): Promise<void> {
    const end = new AbortController()
    const watching = this.#watch(AbortSignal.any([this.#signal, end.signal]))
    try {
      await this.#removeFlags()
      await this.#keep()
    } finally {
      end.abort()
      await watching
      await this.#removeFlags()
    }
  }

  /** Whether the database answers now. Asked for by several at once, it is asked once. An answer that fails makes it not ready. */
  answers(): Promise<boolean> {
    this.#answering ??= this.#ask().finally(() => {
      this.#answering = undefined
    })
    return this.#answering
  }

  async #keep(): Promise<void> {
    const start = performance.now()
    let wasThere = false
    let pause = this.#settings.checkIntervalMs
    while (!this.#signal.aborted) {
      this.#isAwake = false
      try {
        await this.#applyAll()
        wasThere = true
        pause = this.#settings.checkIntervalMs
        await this.#sleep(LOOK_EVERY_MS)
      } catch (error) {
        if (this.#signal.aborted) return
        await this.#fail(error)
        const isAway = isSlotkeeperError(error, 'SLOTKEEPER_STORE_UNAVAILABLE')
        wasThere ||= !NOT_LET_IN.some((code) => isSlotkeeperError(error, code))
        if (!wasThere && performance.now() - start >= this.#settings.postgresTimeoutMs) throw error
        if (isAway) pause = this.#settings.checkIntervalMs
        await this.#sleep(pause)
        if (!isAway) pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
      }
    }
  }

  async #applyAll(): Promise<void> {
    const { connectionString: read, flagPaths, createDatabase, ...options } = this.#settings
    const connectionString = read()
    if (createDatabase && this.#state.phase !== 'ready') {
      const { created } = await ensureDatabase({ connectionString })
      if (created) this.#logger.info({}, 'Database created')
    }
    const { total, applied } = await migrate({
      ...options,
      connectionString,
      logger: this.#logger,
      signal: this.#signal,
      onFile: (file) => this.#begin(file),
    })
    if (this.#isAwake) return // the files have changed meanwhile: not known to be all
    for (const path of flagPaths) await writeFile(path, `${total}\n`)
    if (this.#state.phase !== 'ready' || applied.length > 0)
      this.#logger.info({ total, applied: applied.length }, 'All migrations are applied')
    this.#enter({ phase: 'ready', total })
  }

  /** The file that failed is tried again: what is wrong with it is still what there is to tell. */
  #begin(file: string): void {
    if (this.#state.phase !== 'failed' || this.#state.file !== file) this.#enter({ phase: 'migrating', file })
  }

  async #fail(error: unknown): Promise<void> {
    const { code = 'SLOTKEEPER_INTERNAL', message } = error as Partial<SlotkeeperError> & Error
    const known = error instanceof MigrationFailedError ? error : undefined
    const isNews = this.#state.error?.message !== message
    const isAway = code === 'SLOTKEEPER_STORE_UNAVAILABLE'
    this.#enter({
      phase: isAway ? 'waiting' : 'failed',
      error: { code, message },
      ...(known && { file: known.path }),
      ...(known?.statement !== undefined && { statement: known.statement }),
      ...(known?.line !== undefined && { line: known.line }),
      ...(known?.column !== undefined && { column: known.column }),
    })
    if (isNews) this.#logger[isAway ? 'warn' : 'error']({ code }, message)
    else this.#logger.info({ code, since: this.#state.since }, 'Still so; trying again')
    await this.#removeFlags()
  }

  #enter(next: Omit<SidecarState, 'since'>): void {
    const isSame = next.phase === this.#state.phase && next.error?.message === this.#state.error?.message
    this.#state = { ...next, since: isSame ? this.#state.since : new Date() }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const turns = this.#settings.source.changes?.({ signal }) ?? []
    for await (const _ of turns) {
      this.#wakeUp()
    }
  }

  #wakeUp(): void {
    if (this.#state.phase === 'ready') this.#enter({ phase: 'migrating' })
    this.#isAwake = true
    this.#wake?.()
  }

  /** Ends early when there is something to do. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isAwake || this.#signal.aborted) return resolve()
      const finish = () => {
        clearTimeout(timer)
        this.#signal.removeEventListener('abort', finish)
        resolve()
      }
      const timer = setTimeout(finish, ms)
      this.#signal.addEventListener('abort', finish)
      this.#wake = finish
    })
  }

  async #ask(): Promise<boolean> {
    try {
      const connectionString = this.#settings.connectionString()
      await askOnce(configOf({ connectionString }), 'SELECT 1', ANSWER_MS)
      return true
    } catch {
      // It may come back with another content, so it is looked at before it counts again.
      if (this.#state.phase === 'ready') this.#enter({ phase: 'waiting' })
      this.#isAwake = true
      this.#wake?.()
      return false
    }
  }

  async #removeFlags(): Promise<void> {
    for (const path of this.#settings.flagPaths) await rm(path, { force: true })
  }
}
