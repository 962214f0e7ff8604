import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** The built command, as a user gets it. */
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
/** The built `slotkeeper`, which forwards to it, as the container file starts it. */
export const SLOTKEEPER = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url))

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process of the command. It ends with its test at the latest. */
export class Command {
  readonly ended: Promise<Ended>
  readonly child: ChildProcess
  #stdout = ''
  #stderr = ''

  constructor(args: readonly string[], env: Readonly<Record<string, string>>, main = MAIN) {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(MIGRATIONS|DATABASE|POSTGRES|CONFIGMAP)_/.test(name),
    )
    this.child = spawn(process.execPath, [main, ...args], {
      env: { ...Object.fromEntries(inherited), ...env },
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.#stdout += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.#stderr += text
    })
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) =>
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }),
      )
    })
    onTestFinished(async () => {
      this.child.kill('SIGKILL')
      await this.ended
    })
  }

  get stderr(): string {
    return this.#stderr
  }
}

/** Runs the command to its end. */
export function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Command(args, env).ended
}

/** The body of an answer of the sidecar. */
export interface Answer {
  readonly code: number
  readonly body: {
    readonly status: string
    readonly phase: string
    readonly file?: string
    readonly error?: { readonly code: string; readonly message: string }
    readonly [name: string]: unknown
  }
}

/** `slotkeeper-migrate serve` on a free port. */
export class Sidecar {
  readonly command: Command

  /** `command` is what runs it: its file, and what goes before `args`. */
  constructor(
    env: Readonly<Record<string, string>>,
    args: readonly string[] = [],
    command: readonly string[] = [MAIN, 'serve', '--json'],
  ) {
    const [main, ...first] = command
    const own = { HEALTH_PORT: '0', CHECK_INTERVAL_SECS: '1', MIGRATIONS_APPLIED_FLAG_PATH: '/tmp/-', ...env }
    this.command = new Command([...first, ...args], own, main)
  }

  /** Where it listens, once it does. */
  async port(): Promise<string> {
    const told = / port=(\d+)|"port":(\d+)/
    await until(() => told.test(this.command.stderr))
    const [, ofLine, ofJson] = told.exec(this.command.stderr) ?? []
    return String(ofLine ?? ofJson)
  }

  /** Asks once the server listens. */
  async get(path: string): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${await this.port()}${path}`)
    return { code: response.status, body: (await response.json()) as Answer['body'] }
  }

  /** Asks for readiness until the answer fits. */
  async readiness(fits: (answer: Answer) => boolean): Promise<Answer> {
    let answer: Answer | undefined
    await until(async () => {
      answer = await this.get('/readiness')
      return fits(answer)
    })
    return answer as Answer
  }

  ready(): Promise<Answer> {
    return this.readiness(({ code }) => code === 200)
  }

  /** Until it says that this went wrong. */
  failing(code: string): Promise<Answer> {
    return this.readiness(({ body }) => body.error?.code === code)
  }
}

/** Asks again and again; the test's own time limit is the limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20))
}
