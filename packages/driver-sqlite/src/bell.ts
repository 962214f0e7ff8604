import {
  closeSync,
  constants,
  type FSWatcher,
  fchmodSync,
  openSync,
  statSync,
  watch,
  writeSync,
} from 'node:fs'

/** How often a listener looks although nobody rang, with a random part; and where the system gives no watches. */
const BACKSTOP_MS = 1000
const POLL_MS = 200

const ONE_BYTE = Buffer.from('!')

/**
 * A file of one byte beside the database, written after every commit that other processes want to hear of.
 *
 * Watching the write-ahead log itself would wake them too soon: with `synchronous=FULL` its last write comes before the sync, and only
 * after that can others see the commit.
 */
export class Bell {
  readonly #path: string
  #file: number | undefined
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #listener: (() => void) | undefined
  #refusal: string | undefined

  constructor(database: string) {
    this.#path = `${database}-bell`
    this.#file = openSync(this.#path, constants.O_RDWR | constants.O_CREAT)
    try {
      // As SQLite does with its own files beside the database: whoever may write that may write this.
      fchmodSync(this.#file, statSync(database).mode & 0o777)
    } catch {
      // Another user made it, and opening it for writing has just shown that this one may use it.
    }
  }

  /** Why the system refuses to watch or write the file, if it does. */
  get refusal(): string | undefined {
    return this.#refusal
  }

  /** The commit stands whether or not this works: listeners look by themselves too. */
  ring(): void {
    try {
      if (this.#file !== undefined) writeSync(this.#file, ONE_BYTE, 0, 1, 0)
    } catch (error) {
      this.#refusal = error instanceof Error ? error.message : String(error)
    }
  }

  /** Calls `listener` at every ring, and now and then without one. Nothing of it keeps the process alive. */
  listen(listener: () => void): void {
    this.#listener = listener
    this.#watch()
    this.#arm()
  }

  silence(): void {
    this.#listener = undefined
    clearTimeout(this.#timer)
    this.#watcher?.close()
    this.#watcher = undefined
  }

  close(): void {
    this.silence()
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #watch(): void {
    try {
      this.#watcher = watch(this.#path, { persistent: false })
      this.#watcher.on('change', (kind) => {
        if (kind === 'rename') this.#refused(`${this.#path} was deleted`)
        this.#listener?.()
      })
      this.#watcher.on('error', (error) => this.#refused(error))
      this.#refusal = undefined
    } catch (error) {
      // The system's watches are used up (EMFILE, ENOSPC): looking often does as well.
      this.#refused(error)
    }
  }

  #refused(error: unknown): void {
    this.#watcher?.close()
    this.#watcher = undefined
    this.#refusal = error instanceof Error ? error.message : String(error)
  }

  #arm(): void {
    const pause = this.#watcher === undefined ? POLL_MS : BACKSTOP_MS
    this.#timer = setTimeout(
      () => {
        this.#arm()
        this.#listener?.()
      },
      pause * (0.75 + Math.random() / 2),
    )
    this.#timer.unref()
  }
}
