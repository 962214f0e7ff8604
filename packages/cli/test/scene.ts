import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Manager, type RepositoryInfo } from '@slotkeeper/core'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import { test as plain, vi } from 'vitest'

// Each of these tests starts many processes, and others share the machine.
vi.setConfig({ testTimeout: 120_000 })

/** The built command, as a user gets it. */
export const BIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const HOLD_LOCK = fileURLToPath(new URL('./hold-lock.ts', import.meta.url))
/** A command that writes what it does into the journal. */
const WORK = fileURLToPath(new URL('./work.sh', import.meta.url))

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process of the built command. */
export class Running {
  readonly ended: Promise<Ended>
  readonly child: ChildProcess
  #stdout = ''
  #stderr = ''

  constructor(child: ChildProcess) {
    this.child = child
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.#stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.#stderr += text
    })
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) =>
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }),
      )
    })
  }

  get pid(): number {
    return this.child.pid as number
  }

  get stdout(): string {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }
}

/** A directory of one test's own: the store, and the journal that the commands themselves write. */
export class Scene {
  readonly directory = mkdtempSync(join(tmpdir(), 'slotkeeper-cli-'))
  readonly store = `sqlite:${join(this.directory, 'slots.db')}`
  readonly #journal = join(this.directory, 'journal')
  readonly #started: Running[] = []
  #manager: Manager | undefined

  constructor() {
    writeFileSync(this.#journal, '')
  }

  /** Leaves no process and no file behind, however the test went. */
  async end(): Promise<void> {
    for (const { child, pid } of this.#started)
      if (child.exitCode === null && child.signalCode === null) kill(pid, 'SIGKILL')
    for (const { group } of this.journal()) if (group > 0) kill(-group, 'SIGKILL')
    await Promise.all(this.#started.map(({ ended }) => ended))
    await this.#manager?.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Starts the command with these arguments on this scene's store. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}, input?: string): Running {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: this.directory,
      env: { ...process.env, SLOTKEEPER_STORE: this.store, SCENE: this.directory, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    child.stdin?.end(input)
    const running = new Running(child)
    this.#started.push(running)
    return running
  }

  /**
   * Starts the command on a terminal of its own, made by script(1) of util-linux; what it shows is the standard output, and what is written
   * to the standard input is typed.
   */
  type(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const command = [process.execPath, BIN, ...args]
      .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
      .join(' ')
    const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      cwd: this.directory,
      env: { ...process.env, SHELL: '/bin/sh', SLOTKEEPER_STORE: this.store, ...env },
      stdio: 'pipe',
    })
    const running = new Running(child)
    this.#started.push(running)
    return running
  }

  /** A process that keeps others from writing into the store until something is written to it. */
  async holdLock(): Promise<Running> {
    const path = join(this.directory, 'slots.db')
    const child = spawn(process.execPath, ['--no-warnings', HOLD_LOCK, path], { stdio: 'pipe' })
    const running = new Running(child)
    this.#started.push(running)
    await this.until('the store is locked', () => running.stdout.includes('locked'))
    return running
  }

  /** Runs it to its end. */
  finish(args: readonly string[], env?: NodeJS.ProcessEnv, input?: string): Promise<Ended> {
    return this.start(args, env, input).ended
  }

  /** `slotkeeper run` of work.sh, which ticks in the journal until `open(name)`. */
  work(name: string, options: readonly string[], more: readonly string[] = []): Running {
    return this.start(['run', '--repository', 'acme/api', ...options, '--', 'sh', WORK, name, ...more])
  }

  /** Lets a work end. */
  open(name: string): void {
    writeFileSync(join(this.directory, `open-${name}`), '')
  }

  /** What the commands have written, in the order in which they wrote it. */
  journal(): readonly { readonly name: string; readonly what: string; readonly group: number }[] {
    return readFileSync(this.#journal, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [name = '', what = '', group = ''] = line.split(' ')
        return { name, what, group: Number(group) }
      })
  }

  /** The process group of a work, from its journal. */
  async groupOf(name: string): Promise<number> {
    await this.until(`${name} started`, () => this.count(name, 'start') > 0)
    return this.journal().find((line) => line.name === name)?.group as number
  }

  /** How often a work has written a word. */
  count(name: string, what: string): number {
    return this.journal().filter((line) => line.name === name && line.what === what).length
  }

  /** What the store says of acme/api, read by this process. */
  status(): Promise<RepositoryInfo> {
    return this.manager.getCurrentSlots('acme/api')
  }

  /** This process's own way to the store, which makes it where it is not there. */
  get manager(): Manager {
    this.#manager ??= new Manager({ driver: sqliteDriver({ path: join(this.directory, 'slots.db') }) })
    return this.#manager
  }

  /** Waits for a condition, looking every 10 ms. */
  async until(what: string, isTrue: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
    const deadline = performance.now() + ms
    while (!(await isTrue())) {
      if (performance.now() > deadline) throw new Error(`Waited in vain for: ${what}.\n${this.#story()}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** What a failure needs to know. */
  #story(): string {
    const journal = this.journal().filter(({ what }) => what !== 'tick' && what !== 'tock')
    const processes = this.#started.map(
      ({ child, stderr }) =>
        `${child.spawnargs.slice(2).join(' ')}: ${child.exitCode ?? child.signalCode ?? 'runs'} ${stderr}`,
    )
    return [...journal.map((line) => Object.values(line).join(' ')), ...processes].join('\n')
  }
}

/** Each test with a scene of its own. */
export const test = plain.extend<{ scene: Scene }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the pattern to see what the fixture depends on
  scene: async ({}, use) => {
    const scene = new Scene()
    await use(scene)
    await scene.end()
  },
})

/** The processes of a group or, by `parent`, the children of a process. Zombies do not count: the first process may reap late. */
export function processes(of: { readonly group: number } | { readonly parent: number }): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const [state, parent, group] = statOf(pid)
      return state !== 'Z' && ('group' in of ? Number(group) === of.group : Number(parent) === of.parent)
    })
}

function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return [] // it has just gone
  }
}

function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
