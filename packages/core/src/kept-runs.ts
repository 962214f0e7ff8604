import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import type { Phase, RunRow } from './rows.ts'

/** What a row was filed under when it was loaded, for stores that keep their indexes themselves. */
export interface Filed {
  readonly phase: Phase
  readonly holder: HolderId | undefined
  readonly dueAt: number | undefined
  readonly priority: number
  readonly sequence: number
}

/** A row that a decision loaded or made. `before` is `undefined` for one that the store does not have. */
export interface KeptRun {
  row: RunRow
  readonly before: Filed | undefined
  changed: boolean
  dropped: boolean
}

/** So many are looked through; for more there is an index. */
const FEW = 8

/** The rows of a decision by run. Most decisions have one: it costs no map. */
export class KeptRuns {
  readonly #all: KeptRun[] = []
  #index: Map<string, KeptRun> | undefined

  /** In the order in which they came. */
  get all(): readonly KeptRun[] {
    return this.#all
  }

  find(repository: RepositoryKey, run: RunKey): KeptRun | undefined {
    if (this.#all.length > FEW) return this.#indexed().get(nameOf(repository, run))
    for (let at = 0; at < this.#all.length; at++) {
      const kept = this.#all[at] as KeptRun
      if (kept.row.run === run && kept.row.repository === repository) return kept
    }
    return undefined
  }

  /** What is kept of the row's run already, or else the row from now on. */
  keep(row: RunRow, isNew: boolean): KeptRun {
    const known = this.find(row.repository, row.run)
    if (known !== undefined) return known
    const kept = { row, before: isNew ? undefined : filed(row), changed: false, dropped: false }
    this.#all.push(kept)
    this.#index?.set(nameOf(row.repository, row.run), kept)
    return kept
  }

  #indexed(): Map<string, KeptRun> {
    this.#index ??= new Map(this.#all.map((kept) => [nameOf(kept.row.repository, kept.row.run), kept]))
    return this.#index
  }
}

function filed({ phase, holder, dueAt, priority, sequence }: RunRow): Filed {
  return { phase, holder, dueAt, priority, sequence }
}

function nameOf(repository: RepositoryKey, run: RunKey): string {
  return `${repository}/${run}`
}
