import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Random } from '../conformance/random.ts'
import type { Assignment } from './assignment.ts'
import type { TortureLine } from './lines.ts'

/** So many calls at most in one life of a worker. */
const CALLS = 10_000_000
const STDERR_KEPT = 4000

const [source, built] = ['./worker.ts', './worker.js'].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
)

/** One life of a worker. */
export class Worker {
  readonly index: number
  readonly name: string
  readonly process: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** Leases in its hands, as its log says. */
  readonly held = new Set<string>()
  stderr = ''
  /** Somebody tortures it at present. */
  isVictim = false
  isOpen = false
  isIdle = false
  isOver = false
  killed = false

  constructor(index: number, assignment: Assignment, execArgv: readonly string[]) {
    this.index = index
    this.name = assignment.name
    const program = existsSync(source as string) ? source : built
    this.process = spawn(process.execPath, [...execArgv, program as string, JSON.stringify(assignment)], {
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    this.process.stdin?.on('error', () => {})
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-STDERR_KEPT)
    })
    this.ended = new Promise((resolve) => {
      this.process.on('error', () => resolve({ code: null, signal: null }))
      this.process.on('close', (code, signal) => resolve({ code, signal }))
    }).then((end) => {
      this.isOver = true
      return end as { code: number | null; signal: NodeJS.Signals | null }
    })
  }

  say(command: string): void {
    this.process.stdin?.write(`${command}\n`)
  }
}

/** The worker processes of a torture. */
export class Fleet {
  readonly lives: Worker[] = []
  readonly #common: Omit<Assignment, 'name' | 'calls' | 'seed'>
  readonly #random: Random
  readonly #execArgv: readonly string[]
  #isOver = false

  constructor(
    common: Omit<Assignment, 'name' | 'calls' | 'seed'>,
    random: Random,
    execArgv: readonly string[],
  ) {
    this.#common = common
    this.#random = random
    this.#execArgv = execArgv
  }

  get alive(): readonly Worker[] {
    return this.lives.filter((worker) => !worker.isOver && !worker.killed)
  }

  /** Starts the next life of a worker, unless all is over. */
  start(index: number): void {
    if (this.#isOver) return
    const life = this.lives.filter((worker) => worker.index === index).length
    const assignment: Assignment = {
      ...this.#common,
      name: `w${index}-${life}`,
      calls: (this.lives.length + 1) * CALLS,
      seed: this.#random.below(2 ** 32),
    }
    this.lives.push(new Worker(index, assignment, this.#execArgv))
  }

  /** Learns from the log what each worker is at. */
  hear(line: TortureLine): void {
    const worker = this.lives.find(({ name }) => name === line.by)
    if (worker === undefined) return
    if (line.event === 'opened') worker.isOpen = true
    else if (line.event === 'idle') worker.isIdle = true
    else if (line.event === 'granted' && line.held) worker.held.add(line.lease)
    else if (line.event === 'over' || line.event === 'lost') worker.held.delete(line.lease)
  }

  /** Leaves no process behind, stopped ones neither. */
  async end(): Promise<void> {
    this.#isOver = true
    for (const worker of this.lives) if (!worker.isOver) worker.process.kill('SIGKILL')
    await Promise.all(this.lives.map((worker) => worker.ended))
  }
}
