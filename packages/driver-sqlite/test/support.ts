import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AcquireCommand,
  type AcquireResult,
  type Clock,
  type Command,
  createDecide,
  type DomainBatch,
  type Driver,
  type HolderId,
  type ReleaseCommand,
  type RepositoryKey,
  type RunKey,
  type RunRow,
  systemClock,
  ticketSource,
} from '@slotkeeper/core/driver'
import type BetterSqlite from 'better-sqlite3'
import { afterEach } from 'vitest'
import { type SqliteDriverOptions, sqliteDriver } from '../src/index.ts'

/** A second program's way to the file. */
export const Sqlite: typeof BetterSqlite = createRequire(import.meta.url)('better-sqlite3')

export const decide = createDecide({ recordTtlMs: 86_400_000 })

const cleanups: (() => void | Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

export function cleanUp(cleanup: () => void | Promise<void>): void {
  cleanups.push(cleanup)
}

/** A new directory, gone after the test. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'slotkeeper-sqlite-'))
  cleanUp(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export function newPath(): string {
  return join(directory(), 'slots.db')
}

/** A driver that is not open yet, closed after the test. */
export function driverOf(path: string, options: Partial<SqliteDriverOptions> = {}): Driver {
  const driver = sqliteDriver({ path, synchronous: 'normal', ...options })
  cleanUp(() => driver.close())
  return driver
}

export async function openDriver(path: string, options: Partial<SqliteDriverOptions> = {}): Promise<Driver> {
  const driver = driverOf(path, options)
  await driver.open({ schema: 'migrate' })
  return driver
}

export async function openHolder(driver: Driver, ttlMs = 30_000): Promise<HolderId> {
  const holder = `test-${randomUUID()}` as HolderId
  await driver.openHolder(holder, ttlMs)
  return holder
}

export const newTicket = ticketSource(`test-${randomUUID()}`)

export const REPO: RepositoryKey = 'acme/api'

export function acquire(run: RunKey, holder: HolderId, more: Partial<AcquireCommand> = {}): AcquireCommand {
  return {
    kind: 'acquire',
    repository: REPO,
    run,
    ticket: newTicket(),
    mode: 'wait',
    proposal: { limit: 1 },
    runUid: undefined,
    holder,
    durable: false,
    priority: 0,
    maxHoldMs: 0,
    claimTimeoutMs: 60_000,
    leaseTtlMs: 1_800_000,
    meta: undefined,
    validUntil: 0,
    outcome: undefined,
    ...more,
  }
}

export function release(row: RunRow): ReleaseCommand {
  const { repository, run, token } = row
  return {
    kind: 'release',
    repository,
    run,
    token,
    ticket: newTicket(),
    state: 'completed',
    force: undefined,
    outcome: undefined,
  }
}

export function batchOf(
  commands: readonly Command[],
  by?: HolderId,
  domain: string = commands[0]?.repository ?? REPO,
): DomainBatch {
  return { domain, by, commands, decision: undefined, error: undefined, events: [], done() {} }
}

/** Decides the commands together and throws what their domain failed with. */
export async function ask(
  driver: Driver,
  by: HolderId | undefined,
  ...commands: Command[]
): Promise<DomainBatch> {
  const batch = batchOf(commands, by)
  await driver.transact([batch], decide)
  if (batch.error !== undefined) throw batch.error
  return batch
}

/** Acquires and returns the outcome. */
export async function tryFor(
  driver: Driver,
  run: RunKey,
  holder: HolderId,
  more: Partial<AcquireCommand> = {},
): Promise<AcquireResult> {
  const command = acquire(run, holder, more)
  await ask(driver, holder, command)
  return command.outcome as AcquireResult
}

/** Acquires what must be granted. */
export async function grantOf(
  driver: Driver,
  run: RunKey,
  holder: HolderId,
  more: Partial<AcquireCommand> = {},
): Promise<RunRow> {
  const outcome = await tryFor(driver, run, holder, more)
  if (outcome.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(outcome)}`)
  return outcome.row
}

/** Every file of a directory with its bytes. */
export function bytesIn(path: string): Record<string, string> {
  const files = readdirSync(path).sort()
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(path, name)).toString('latin1')]))
}

/** A clock that tests move. Real timers stay real. */
export class TestClock implements Clock {
  monotonicMs = 5_000
  uptimeMs = 100_000
  wallMs = 1_760_000_000_000

  /** Time passes for everybody. */
  advance(ms: number): void {
    this.monotonicMs += ms
    this.uptimeMs += ms
    this.wallMs += ms
  }

  monotonic(): number {
    return this.monotonicMs
  }

  uptime(): number {
    return this.uptimeMs
  }

  wall(): number {
    return this.wallMs
  }

  schedule(ring: () => void, ms: number): () => void {
    return systemClock.schedule(ring, ms)
  }

  keepAlive(): () => void {
    return systemClock.keepAlive()
  }
}

/** Runs a program of `test/processes` in a process of its own; it speaks in lines and ends with the test. */
export function start(program: string, ...args: string[]): Child {
  return new Child(
    spawn(process.execPath, ['--import', hooks, join(import.meta.dirname, 'processes', program), ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  )
}

const hooks = join(import.meta.dirname, '..', '..', '..', 'scripts', 'sources.mjs')

export class Child {
  readonly process: ChildProcess
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly #lines: string[] = []
  #wake: (() => void) | undefined
  #over = false
  #rest = ''

  constructor(child: ChildProcess) {
    this.process = child
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() as string
      this.#lines.push(...lines)
      this.#wake?.()
    })
    this.ended = new Promise((resolve) =>
      child.on('close', (code, signal) => {
        this.#over = true
        this.#wake?.()
        resolve({ code, signal })
      }),
    )
    cleanUp(() => {
      child.kill('SIGKILL')
    })
  }

  /** The next line that it says. */
  async line(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#over) throw new Error('The process ended without another line.')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#lines.shift() as string
  }

  say(line: string): void {
    this.process.stdin?.write(`${line}\n`)
  }
}
