import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { PlannedRun } from './plan.ts'
import type { Assignment } from './worker.ts'

const script = fileURLToPath(new URL('./worker.ts', import.meta.url))

/** A worker process as the demo sees it. */
export interface Worker {
  readonly name: string
  readonly pid: number
  readonly runs: readonly PlannedRun[]
}

interface Started extends Worker {
  readonly child: ChildProcess
  /** Settles when the worker and all of its children are gone. */
  readonly gone: Promise<unknown>
  killed: boolean
  output: string
}

/** The worker processes: each the leader of a process group, so that nothing which they start can be left behind. */
export class Fleet {
  readonly #common: Omit<Assignment, 'worker' | 'runs'>
  readonly #workers: Started[] = []

  constructor(common: Omit<Assignment, 'worker' | 'runs'>) {
    this.#common = common
  }

  /** Those that live. */
  get workers(): readonly Worker[] {
    return this.#workers.filter(({ killed }) => !killed)
  }

  /** Whether every worker has ended. */
  get isOver(): boolean {
    return this.#workers.every(({ child }) => hasEnded(child))
  }

  /** Starts a worker for these runs. */
  start(runs: readonly PlannedRun[]): Worker {
    const name = `worker-${this.#workers.length + 1}`
    const child = fork(script, [], { detached: true, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    const started: Started = {
      name,
      pid: child.pid ?? 0,
      runs,
      child,
      // Its children write to the same standard error, which therefore ends with the last of them.
      gone: once(child, 'close'),
      killed: false,
      output: '',
    }
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      started.output += text
    })
    child.on('error', (error) => {
      started.output += `${error.message}\n`
    })
    child.send({ ...this.#common, worker: name, runs } satisfies Assignment)
    this.#workers.push(started)
    return started
  }

  /** Kills a worker process, and only that: the operating system closes its pipes, and its children stop. Waits until all are gone. */
  async kill(worker: Worker): Promise<void> {
    const started = this.#workers.find((other) => other === worker)
    if (started === undefined) return
    started.killed = true
    started.child.kill('SIGKILL')
    await started.gone
  }

  /** @throws Error when a worker has ended otherwise than after its last run */
  check(): void {
    for (const { name, child, killed, output } of this.#workers) {
      const how = child.signalCode ?? (child.exitCode === null ? undefined : `exit code ${child.exitCode}`)
      if (!killed && child.exitCode !== 0 && how !== undefined)
        throw new Error(`${name} ended with ${how}.\n${output.trimEnd()}`)
    }
  }

  /** Waits for the workers to end by themselves; ends those that do not within `ms`, and says which. */
  async finish(ms: number): Promise<readonly string[]> {
    const late: string[] = []
    const timer = setTimeout(() => {
      late.push(...this.#end())
    }, ms)
    await Promise.all(this.#workers.map(({ gone }) => gone))
    clearTimeout(timer)
    return late
  }

  /** Ends every process that was started, at once, and waits until they are gone. */
  async end(): Promise<void> {
    this.#end()
    await Promise.all(this.#workers.map(({ gone }) => gone))
  }

  #end(): string[] {
    const living = this.#workers.filter(({ child }) => !hasEnded(child))
    for (const { child, pid } of living) {
      try {
        // The whole group: the worker and its children.
        process.kill(-pid, 'SIGKILL')
      } catch {
        child.kill('SIGKILL')
      }
    }
    return living.map(({ name }) => name)
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}
