import { appendFile, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ActualRun, Repository } from '@slotkeeper/core'

/** What stands for a PipelineRun: written once, when somebody pushes; it does not start before a controller says so. */
export interface Manifest {
  readonly metadata: {
    readonly namespace: string
    readonly name: string
    readonly uid: string
    readonly creation: number
  }
  readonly repository: Repository
  /** How long it works, in ms. */
  readonly ms: number
}

/** Endings of the files of one run in the cluster's folder. */
export const FILES = {
  /** The Manifest. */
  run: '.run.json',
  /** Whoever starts the run appends a line. One line for each time it was started, so a second one is a second execution. */
  starts: '.starts',
  /** It is over; holds the state that it ended with. */
  over: '.over',
} as const

/** A line of a `.starts` file. */
export interface Start {
  readonly by: string
  readonly token: string
  /** Nanoseconds of the machine's clock, the same for all of its processes. */
  readonly at: string
}

/** The cluster as a controller sees it: a folder of files. */
export class Cluster {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Every run that is there. It asks the folder itself, when it is iterated, so that it shows nothing older than that. */
  async *list(): AsyncGenerator<ActualRun> {
    for (const file of await readdir(this.#folder)) {
      if (!file.endsWith(FILES.run)) continue
      const text = await readFile(join(this.#folder, file), 'utf8')
      yield await this.#actual(file.slice(0, -FILES.run.length), text)
    }
  }

  /** Clears what holds the run back: from now on it may run at any moment. */
  async start(run: string, start: Start): Promise<void> {
    await appendFile(this.#path(run, FILES.starts), `${JSON.stringify(start)}\n`)
  }

  /** What cannot be read is passed on as it is: the rebuild reports it, and goes on with the rest. */
  async #actual(name: string, text: string): Promise<ActualRun> {
    const { metadata, repository } = parse(text)
    return {
      repository: repository as Repository,
      run: `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`,
      state: await this.#state(name),
      ...(metadata === undefined ? {} : { runUid: metadata.uid, order: metadata.creation }),
    }
  }

  async #state(name: string): Promise<string> {
    const over = await this.#read(name, FILES.over)
    if (over !== undefined) return over
    // Whoever was killed before a whole line was written has started nothing: as an API server takes a whole change or none.
    return (await this.#read(name, FILES.starts))?.includes('\n') === true ? 'started' : 'queued'
  }

  async #read(name: string, ending: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#folder, `${name}${ending}`), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  #path(run: string, ending: string): string {
    return join(this.#folder, `${run.slice(run.indexOf('/') + 1)}${ending}`)
  }
}

function parse(text: string): Partial<Manifest> {
  try {
    return JSON.parse(text) as Partial<Manifest>
  } catch {
    return {}
  }
}
