import { createHash } from 'node:crypto'
import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import { readFiles } from './read-files.ts'

/** What a look at a watched directory found. */
export type DirectoryState =
  /** `hash` is one over the paths and contents of all files. */
  | { readonly kind: 'present'; readonly hash: string; readonly files: ReadonlyMap<string, Uint8Array> }
  /** The directory, or one of its files, cannot be read; `error` is the file system's. */
  | { readonly kind: 'unreadable'; readonly error: Error }

/** How to watch. */
export interface WatchDirectoryOptions {
  /** Ends the watch: the loop over it ends, without an error. */
  readonly signal?: AbortSignal
  /** How long until the next look when the system told of nothing, in ms. Default 30,000. */
  readonly pollMs?: number
  /** How long to wait after the system told of something, for more of it, in ms. Default 100. */
  readonly settleMs?: number
}

/**
 * Looks at a directory (see `readFiles`): at once, and whenever its content is another than at the last look. Changes are found by
 * content, never by time stamps, so a mounted ConfigMap whose links are turned over counts once, and one touched without a
 * change does not count. A directory that vanishes, or cannot be read, is a state too; it is watched until it is back.
 *
 * The system tells of changes within milliseconds where it can; a look every `pollMs` stands behind it, for file systems that tell
 * nothing. A reader that is slow sees the latest state, not each one between. Nothing is kept open after the loop.
 * @example
 * for await (const state of watchDirectory('/etc/slotkeeper', { signal })) console.log(state.kind)
 */
export async function* watchDirectory(
  path: string,
  options: WatchDirectoryOptions = {},
): AsyncGenerator<DirectoryState, void, void> {
  const { signal, pollMs = 30_000, settleMs = 100 } = options
  let last: string | undefined
  while (signal?.aborted !== true) {
    // Watches are set before the look, or a change between the two would be missed.
    const hints = new Hints(path)
    try {
      const state = await look(path, signal)
      if (state === undefined) return
      hints.watchBelow(state)
      const identity = state.kind === 'present' ? state.hash : `unreadable: ${state.error.message}`
      if (identity !== last) {
        last = identity
        yield state
      }
      if (await hints.wait(pollMs, signal)) await pause(settleMs, signal)
    } finally {
      hints.close()
    }
  }
}

async function look(path: string, signal: AbortSignal | undefined): Promise<DirectoryState | undefined> {
  try {
    const files = await readFiles(path, signal === undefined ? {} : { signal })
    return { kind: 'present', hash: hashOf(files), files }
  } catch (error) {
    if (signal?.aborted) return undefined
    return { kind: 'unreadable', error: error as Error }
  }
}

function hashOf(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256')
  for (const [name, content] of files) hash.update(`${name}\0${content.length}\0`).update(content)
  return hash.digest('hex')
}

/** The system's watches over a directory, those directly below it, and its parent, in which it may come and go. */
class Hints {
  readonly #watchers: FSWatcher[] = []
  readonly #path: string
  #told = false
  #wake: (() => void) | undefined

  constructor(path: string) {
    this.#path = path
    this.#watch(path)
    if (this.#watchers.length === 0) this.#watch(dirname(path))
  }

  watchBelow(state: DirectoryState): void {
    if (state.kind === 'unreadable') return
    const below = new Set<string>()
    for (const name of state.files.keys()) if (name.includes('/')) below.add(`${this.#path}/${dirname(name)}`)
    for (const path of below) this.#watch(path)
  }

  /** True when the system told of something, false when the time is over or the signal aborted. */
  async wait(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#told) return true
    const end = new AbortController()
    this.#wake = () => end.abort()
    await pause(ms, signal === undefined ? end.signal : AbortSignal.any([signal, end.signal]))
    return this.#told
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
  }

  /** Whatever cannot be watched (no such directory, no watches left in the system) is left to the next look. */
  #watch(path: string): void {
    const tell = () => {
      this.#told = true
      this.#wake?.()
    }
    try {
      this.#watchers.push(watch(path, { persistent: false }, tell).on('error', tell))
    } catch {
      return
    }
  }
}

/** Ends early, and well, when the signal aborts. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal?.addEventListener('abort', finish)
  })
}
