import type { RepositoryKey, RunKey } from './keys.ts'

/** One run, while something of it is ending. */
interface Ending {
  /** How many calls the store has not heard yet. */
  unheard: number
  heard: Promise<void> | undefined
  tell: (() => void) | undefined
}

/**
 * What this Manager has asked the store to end, and the store has not heard yet, by run: slots that are released or given back, tickets that
 * are withdrawn. Whoever is given such a slot or place waits until it has ended, and asks again.
 */
export class Endings {
  readonly #byRun = new Map<string, Ending>()

  /** Something of the run is to end. @returns what is to be called, once, when the store has heard or nobody tells it any more */
  begin(repository: RepositoryKey, run: RunKey): () => void {
    const name = nameOf(repository, run)
    let ending = this.#byRun.get(name)
    if (ending === undefined) {
      ending = { unheard: 0, heard: undefined, tell: undefined }
      this.#byRun.set(name, ending)
    }
    ending.unheard++
    return () => {
      if (--ending.unheard > 0) return
      this.#byRun.delete(name)
      ending.tell?.()
    }
  }

  /** Resolves when nothing of the run is about to end; `undefined`: nothing is. */
  of(repository: RepositoryKey, run: RunKey): Promise<void> | undefined {
    if (this.#byRun.size === 0) return undefined
    const ending = this.#byRun.get(nameOf(repository, run))
    if (ending === undefined) return undefined
    ending.heard ??= new Promise((resolve) => {
      ending.tell = resolve
    })
    return ending.heard
  }
}

function nameOf(repository: RepositoryKey, run: RunKey): string {
  return `${repository} ${run}`
}
