import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { FILES, type Manifest } from './cluster.ts'

/** A line of the journal, which tells what truly ran. */
export interface Work {
  readonly event: 'begins' | 'ends'
  readonly run: string
  readonly at: string
}

/** What runs the runs. It lives apart from the controllers: a dead controller is not a dead run. */
export class Kubelet {
  readonly #folder: string
  readonly #journal: string
  readonly #begun = new Map<string, number>()
  readonly #works = new Set<Promise<void>>()

  constructor(folder: string, journal: string) {
    this.#folder = folder
    this.#journal = journal
  }

  /** Executes each start of a run; a run that was started twice is executed twice. */
  async serve(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const file of readdirSync(this.#folder))
        if (file.endsWith(FILES.starts)) this.#look(file.slice(0, -FILES.starts.length))
      await pause(10)
    }
    await Promise.all(this.#works)
  }

  #look(name: string): void {
    const starts = readFileSync(join(this.#folder, `${name}${FILES.starts}`), 'utf8').split('\n').length - 1
    for (let begun = this.#begun.get(name) ?? 0; begun < starts; begun++) {
      this.#begun.set(name, begun + 1)
      const work = this.#execute(name).finally(() => this.#works.delete(work))
      this.#works.add(work)
    }
  }

  async #execute(name: string): Promise<void> {
    const manifest = JSON.parse(readFileSync(join(this.#folder, `${name}${FILES.run}`), 'utf8')) as Manifest
    this.#tell('begins', name)
    await pause(manifest.ms)
    this.#tell('ends', name)
    const over = join(this.#folder, `${name}${FILES.over}`)
    if (existsSync(over)) return
    writeFileSync(`${over}.new`, 'completed')
    renameSync(`${over}.new`, over)
  }

  #tell(event: Work['event'], run: string): void {
    const work: Work = { event, run, at: String(process.hrtime.bigint()) }
    appendFileSync(this.#journal, `${JSON.stringify(work)}\n`)
  }
}
