import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Deadline, leftMs } from './deadline.ts'
import { listen, type Report, send } from './messages.ts'
import { countdown, endGroup, signalGroup, trySignal } from './process-group.ts'

/** What to run, and how long it may run without another word. */
export interface CommandSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Whether the command reads the wrapper's standard input; else it reads nothing. */
  readonly stdin: boolean
  /** How long before the deadline the command is asked to end. */
  readonly graceMs: number
  /** Until when the lease is provably held, asked anew each time. */
  readonly deadline: () => Deadline
}

/** How a command came to its end. Nothing is left of its process group then, whichever it was. */
export type CommandEnd =
  | {
      readonly kind: 'over'
      readonly exitCode: number | null
      readonly signal: NodeJS.Signals | null
      readonly ended: boolean
    }
  | { readonly kind: 'not-started'; readonly code: string; readonly message: string }
  /** The supervisor died, and the command was ended. */
  | { readonly kind: 'unsupervised' }

/** Signals that the one process of the command gets, because they kill whoever does not expect them; others go to the whole group. */
const FOR_THE_COMMAND_ALONE: ReadonlySet<NodeJS.Signals> = new Set(['SIGUSR1', 'SIGUSR2'])

const OBEYS_WITHIN_MS = 500
/** Deadlines of one heartbeat, reckoned at different times, differ by less. */
const SAME_MS = 5

/** What the wrapper has in hand of a command that runs under a supervisor of its own. */
export class SupervisedCommand {
  /** Never rejects. */
  readonly ended: Promise<CommandEnd>
  readonly #spec: CommandSpec
  readonly #process: ChildProcess
  readonly #pipe: Duplex
  #resolve!: (end: CommandEnd) => void
  #group: number | undefined
  #isReady = false
  #isOver = false
  #told = 0
  /** Came before the command was there. */
  #early: NodeJS.Signals[] = []

  /** Starts the supervisor, which starts the command. */
  constructor(spec: CommandSpec) {
    this.#spec = spec
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
    this.#process = spawn(process.execPath, [fileURLToPath(new URL('./supervisor.js', import.meta.url))], {
      detached: true,
      stdio: [spec.stdin ? 'inherit' : 'ignore', 'inherit', 'inherit', 'pipe'],
      env: supervisorEnvironment(process.env),
    })
    this.#pipe = this.#process.stdio[3] as Duplex
    this.#process.once('error', () => this.#abandoned())
    this.#process.once('exit', () => this.#abandoned())
    listen<Report>(
      this.#pipe,
      (report) => this.#hear(report),
      () => this.#abandoned(),
    )
  }

  /** Passes a signal on: to the command's whole process group, or to the command alone where the group would not survive it. */
  signal(signal: NodeJS.Signals): void {
    if (this.#isOver) return
    if (this.#group === undefined) this.#early.push(signal)
    else if (FOR_THE_COMMAND_ALONE.has(signal)) trySignal(this.#group, signal)
    else signalGroup(this.#group, signal)
  }

  /** The lease is provably held until then. The supervisor is told what it does not know yet. */
  extend(deadline: Deadline): void {
    if (!this.#isReady || this.#isOver) return
    if (Math.abs(deadline.monotonicMs - this.#told) < SAME_MS) return
    this.#told = deadline.monotonicMs
    send(this.#pipe, { kind: 'extend', deadline })
  }

  /** The lease is lost: SIGTERM now, SIGKILL after `withinMs`. A supervisor that does not obey, because it is stopped, is replaced. */
  end(withinMs: number): void {
    if (this.#isOver) return
    send(this.#pipe, { kind: 'end', withinMs })
    setTimeout(() => this.#abandoned(), withinMs + OBEYS_WITHIN_MS).unref()
  }

  #hear(report: Report): void {
    switch (report.kind) {
      case 'ready': {
        this.#isReady = true
        const { command, args, env, graceMs, deadline } = this.#spec
        return send(this.#pipe, { kind: 'start', command, args, env, graceMs, deadline: deadline() })
      }
      case 'started': {
        this.#group = report.group
        for (const signal of this.#early) this.signal(signal)
        return
      }
      case 'not-started':
      case 'over':
        return this.#finish(report)
    }
  }

  #finish(end: CommandEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#pipe.end()
    this.#resolve(end)
  }

  /** Nobody else would end the command now when the lease is lost. */
  #abandoned(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#process.kill('SIGKILL')
    const gone = () => this.#resolve({ kind: 'unsupervised' })
    if (this.#group === undefined) return gone()
    const grace = countdown(this.#spec.graceMs)
    void endGroup(this.#group, () => Math.min(grace(), leftMs(this.#spec.deadline()))).then(gone)
  }
}

/** The supervisor is a Node.js that nobody asked for: what is meant for the command's Node.js is not meant for it. */
function supervisorEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('NODE_')))
}
