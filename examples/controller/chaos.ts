import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Manager } from '@slotkeeper/core'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import { FILES, type Manifest } from './cluster.ts'
import { judge, type Verdict } from './judge.ts'
import { Kubelet } from './kubelet.ts'
import { Random } from './random.ts'

const script = fileURLToPath(new URL('./controller.ts', import.meta.url))

/** How long everything may take to come to rest, on a machine that is busy with other things. */
const PATIENCE_MS = 60_000
const LIMITS = { 'shop/checkout': 2, 'shop/ledger': 1, 'web/storefront': 3 } as const

/** What happened. */
export interface Report extends Verdict {
  readonly kills: number
  /** How often the store was thrown away while no controller lived. */
  readonly wipes: number
  /** Slots and entries left in the store when all was over. */
  readonly left: number
  readonly folder: string
}

interface Replica {
  readonly name: string
  child: ChildProcess
  lives: number
}

/**
 * Two replicas over one folder of runs and one SQLite file: pushes runs, kills and restarts replicas at random, now and then both, and then
 * sometimes throws the store away; then leaves them in peace until all runs are over, and judges the files.
 */
export async function chaos(options: { readonly seconds: number; readonly seed: number }): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'slotkeeper-controller-'))
  const scene = new Scene(folder, new Random(options.seed))
  try {
    return await scene.play(options.seconds * 1000)
  } finally {
    await scene.end()
  }
}

class Scene {
  readonly #folder: string
  readonly #runs: string
  readonly #journal: string
  readonly #random: Random
  readonly #replicas: Replica[] = []
  readonly #over = new AbortController()
  #kubelet: Promise<void> | undefined
  #pushed = 0
  #kills = 0
  #wipes = 0
  #output = ''

  constructor(folder: string, random: Random) {
    this.#folder = folder
    this.#runs = join(folder, 'runs')
    this.#journal = join(folder, 'journal')
    this.#random = random
    mkdirSync(this.#runs)
    writeFileSync(this.#journal, '')
    // What nobody can read stops nobody.
    writeFileSync(join(this.#runs, `broken-1${FILES.run}`), '{"metadata":')
    writeFileSync(
      join(this.#runs, `broken-2${FILES.run}`),
      '{"metadata":{"namespace":"a/b"},"repository":{}}',
    )
  }

  async play(ms: number): Promise<Report> {
    this.#kubelet = new Kubelet(this.#runs, this.#journal).serve(this.#over.signal)
    for (const name of ['one', 'two']) this.#replicas.push({ name, child: this.#start(name, 1), lives: 1 })
    const until = performance.now() + ms
    const pushing = this.#push(until)
    while (performance.now() < until) {
      await pause(200 + this.#random.below(1200))
      await this.#harm()
    }
    await pushing
    await this.#rest()
    this.#over.abort()
    await this.#kubelet
    const left = await this.#left()
    const verdict = judge(this.#runs, this.#journal)
    return { ...verdict, kills: this.#kills, wipes: this.#wipes, left, folder: this.#folder }
  }

  /** Leaves no process behind; and no file, unless there is something to look at. */
  async end(): Promise<void> {
    this.#over.abort()
    await Promise.all(this.#replicas.map((replica) => kill(replica.child, 'SIGKILL')))
    await this.#kubelet
    const { problems } = judge(this.#runs, this.#journal)
    if (problems.length === 0) rmSync(this.#folder, { recursive: true, force: true })
    else writeFileSync(join(this.#folder, 'output'), this.#output)
  }

  async #push(until: number): Promise<void> {
    const keys = Object.keys(LIMITS) as (keyof typeof LIMITS)[]
    while (performance.now() < until) {
      const burst = 1 + this.#random.below(4)
      for (let n = 0; n < burst; n++)
        this.#create(keys[this.#random.below(keys.length)] as keyof typeof LIMITS)
      await pause(100 + this.#random.below(500))
    }
  }

  #create(key: keyof typeof LIMITS): void {
    const [namespace = '', repository = ''] = key.split('/')
    const number = ++this.#pushed
    const name = `${repository}-${number}`
    const manifest: Manifest = {
      metadata: { namespace, name, uid: `uid-${number}`, creation: number },
      repository: {
        metadata: { namespace, name: repository, uid: `uid-${key}`, generation: 1 },
        spec: { concurrencyLimit: LIMITS[key] },
      },
      ms: 50 + this.#random.below(400),
    }
    const path = join(this.#runs, `${name}${FILES.run}`)
    writeFileSync(`${path}.new`, JSON.stringify(manifest))
    renameSync(`${path}.new`, path)
  }

  /** Kills one or both replicas and starts them again after a while. */
  async #harm(): Promise<void> {
    const random = this.#random
    const both = random.chance(0.3)
    const victims = both ? this.#replicas : [this.#replicas[random.below(2)] as Replica]
    for (const { child } of victims) {
      this.#kills++
      await kill(child, random.chance(0.8) ? 'SIGKILL' : 'SIGTERM')
    }
    if (both && random.chance(0.5)) {
      this.#wipes++
      for (const file of readdirSync(this.#folder))
        if (file.startsWith('slots.db')) rmSync(join(this.#folder, file))
    }
    await pause(random.below(600))
    for (const replica of victims) {
      replica.lives++
      replica.child = this.#start(replica.name, replica.lives)
      // The second one joins while the first rebuilds, or later.
      await pause(random.below(200))
    }
  }

  #start(name: string, life: number): ChildProcess {
    const child = fork(script, [`${name}-${life}`, this.#runs, join(this.#folder, 'slots.db')], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
    })
    return child
  }

  /** Until every run is over. */
  async #rest(): Promise<void> {
    const until = performance.now() + PATIENCE_MS
    while (!this.#isOver() && performance.now() < until) {
      for (const { child, name } of this.#replicas)
        if (child.exitCode !== null && child.exitCode !== 0)
          throw new Error(`${name} ended with exit code ${child.exitCode}:\n${this.#output.slice(-4000)}`)
      await pause(50)
    }
  }

  #isOver(): boolean {
    const files = new Set(readdirSync(this.#runs))
    return [...files].every(
      (file) =>
        !file.endsWith(FILES.run) ||
        file.startsWith('broken') ||
        files.has(file.replace(FILES.run, FILES.over)),
    )
  }

  /** What the store still holds, once it had time to hear of the last ends. */
  async #left(): Promise<number> {
    await using manager = new Manager({ driver: sqliteDriver({ path: join(this.#folder, 'slots.db') }) })
    const until = performance.now() + PATIENCE_MS
    for (;;) {
      let left = 0
      for (const { running, reserved, orphaned, waiting } of await manager.getRepositories())
        left += running + reserved + orphaned + waiting
      if (left === 0 || performance.now() > until) return left
      await pause(50)
    }
  }
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
  await gone
  clearTimeout(timer)
}
