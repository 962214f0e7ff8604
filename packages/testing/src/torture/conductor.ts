import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { isSlotkeeperError, Manager, type RepositoryKey, type RunKey } from '@slotkeeper/core'
import { createDecide, type Driver, isSlot } from '@slotkeeper/core/driver'
import { audit } from '../conformance/audit.ts'
import { Desk } from '../conformance/desk.ts'
import { Random } from '../conformance/random.ts'
import { Faults } from './faults.ts'
import { Fleet } from './fleet.ts'
import { judgeTorture, refusedWrites, type TortureViolation } from './judge-torture.ts'
import {
  appender,
  type FenceWrite,
  machineMs,
  readLines,
  type Said,
  Tail,
  type TortureLine,
} from './lines.ts'
import type { TortureOptions, TortureReport } from './options.ts'

/** How long what must come about may take, on a machine that is busy with other things. */
const PATIENCE_MS = 60_000
const LOOK_MS = 20
const MOST_LIMIT = 5

/**
 * Starts worker processes on a store, kills, stops and blocks them, changes limits, locks and fills the store, heals everything, waits
 * until the store is quiet, and judges what the processes wrote down. Leaves no process and no file behind, except the log of a failure.
 * @throws AssertionError with the seed, the rules that were broken, what proves it and where the log is
 */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const folder = mkdtempSync(join(tmpdir(), 'slotkeeper-torture-'))
  const { SLOTKEEPER_SEED } = process.env
  const seed = options.seed ?? Number(SLOTKEEPER_SEED ?? Math.floor(Math.random() * 2 ** 32))
  const conductor = new Conductor(options, folder, seed)
  try {
    return await conductor.run()
  } catch (error) {
    const kept = `${folder}.log`
    cpSync(conductor.log, kept)
    const told = error instanceof Error ? error.message : String(error)
    const message = `The torture with SLOTKEEPER_SEED=${seed} failed; its log is kept in ${kept}\n${told}`
    throw new assert.AssertionError({ message, operator: 'torture' })
  } finally {
    await conductor.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

class Conductor {
  readonly log: string
  readonly #options: TortureOptions
  readonly #seed: number
  readonly #resource: string
  readonly #repositories: readonly RepositoryKey[]
  readonly #random: Random
  readonly #say: (said: Said) => void
  readonly #lines: TortureLine[] = []
  readonly #seen = new Set<number>()
  readonly #errors: Record<string, number> = {}
  readonly #closing: (() => unknown)[] = []
  #tail: Tail<TortureLine> | undefined
  #fleet: Fleet | undefined
  #calls = 0
  #grants = 0
  #over = false

  constructor(options: TortureOptions, folder: string, seed: number) {
    this.#options = options
    this.#seed = seed
    this.#random = new Random(seed)
    this.log = join(folder, 'log')
    this.#resource = join(folder, 'resource')
    for (const path of [this.log, this.#resource]) writeFileSync(path, '')
    const append = appender<TortureLine>(this.log)
    this.#say = (said) => append({ at: machineMs(), by: 'conductor', ...said })
    const count = options.repositories ?? 3
    this.#repositories = Array.from({ length: count }, (_, at) => `torture/repository-${at}` as const)
  }

  async run(): Promise<TortureReport> {
    const { store, module, faults: storeFaults = {}, workers = 4, wishers = 6, execArgv = [] } = this.#options
    const { openDriver } = (await import(/* @vite-ignore */ pathToFileURL(resolve(module)).href)) as {
      openDriver(store: string): Driver | Promise<Driver>
    }
    const driver = await openDriver(store)
    const ttlMs = Math.max(this.#options.ttlMs ?? 1500, driver.manifest.minimumTtlMs)
    const manager = new Manager({ driver, label: 'conductor' })
    this.#closing.push(() => manager.close())
    for (const key of this.#repositories) await this.#setLimit(manager, key)
    const desk = new Desk(await openDriver(store), createDecide({ recordTtlMs: 86_400_000 }))
    await desk.driver.open({ schema: 'migrate' })
    this.#closing.push(() => desk.driver.close())
    const common = { module: resolve(module), store, log: this.log, resource: this.#resource, ttlMs, wishers }
    const fleet = new Fleet({ ...common, repositories: this.#repositories }, this.#random, execArgv)
    this.#fleet = fleet
    this.#tail = new Tail(this.log)
    this.#closing.push(() => storeFaults.unfill?.())
    for (let index = 0; index < workers; index++) fleet.start(index)
    await this.#until('all workers have opened the store', () => fleet.alive.every((worker) => worker.isOpen))
    const scene = {
      fleet,
      random: this.#random,
      ttlMs,
      store: storeFaults,
      say: this.#say,
      hopes: (ms: number, probe: () => boolean) => this.#comes(ms, probe),
      failures: (code: string) => this.#errors[code] ?? 0,
    }
    const faults = new Faults(scene)
    const beside = [this.#observe(manager), this.#changeLimits(manager, faults)]
    // Should the faults fail first, theirs is the failure that is told.
    for (const task of beside) task.catch(() => {})
    await this.#inject(faults)
    this.#over = true
    await Promise.all(beside)
    await this.#rest(fleet, desk)
    return this.#verdict(faults)
  }

  async end(): Promise<void> {
    this.#over = true
    await this.#fleet?.end()
    for (const close of this.#closing.toReversed()) await close()
    this.#tail?.close()
  }

  /** Faults until the time is over and each kind was injected, and between them some peace. */
  async #inject(faults: Faults): Promise<void> {
    const seconds = this.#options.seconds ?? Number(process.env.SLOTKEEPER_TORTURE_SECONDS ?? 15)
    const until = machineMs() + seconds * 1000
    const under = new Set<Promise<void>>()
    while (machineMs() < until || !faults.isComplete) {
      if (machineMs() > until + PATIENCE_MS)
        assert.fail(`Not all faults could be injected: ${JSON.stringify(faults.done)}`)
      const fault = faults.next()
      const task: Promise<void> = fault.finally(() => under.delete(task))
      under.add(task)
      task.catch(() => {})
      const grants = this.#grants
      if (this.#random.chance(0.5)) await task
      else await this.#comes(this.#random.below(1000), () => false)
      if (under.size > 1) await Promise.race(under)
      if (under.size === 0)
        await this.#until('somebody is granted a slot after a fault', () => this.#grants > grants + 10)
    }
    await Promise.all(under)
  }

  /** Looks at the queues, so that it is known who waited. */
  async #observe(manager: Manager): Promise<void> {
    while (!this.#over) {
      for (const key of this.#repositories)
        try {
          for (const { run, meta } of await manager.getQueuedPipelineRuns(key)) {
            const call = Number(meta?.call)
            if (this.#seen.has(call)) continue
            this.#seen.add(call)
            this.#say({ event: 'queued', repository: key, run, call })
          }
        } catch (error) {
          if (!isSlotkeeperError(error)) throw error
        }
      await sleep(LOOK_MS)
    }
  }

  async #changeLimits(manager: Manager, faults: Faults): Promise<void> {
    while (!this.#over) {
      if (await this.#setLimit(manager, this.#random.pick(this.#repositories))) faults.done.limit++
      const grants = this.#grants
      await this.#comes(500, () => this.#grants > grants + 40)
    }
  }

  async #setLimit(manager: Manager, key: RepositoryKey): Promise<boolean> {
    const limit = 1 + this.#random.below(MOST_LIMIT)
    const call = ++this.#calls
    const [namespace = '', name = ''] = key.split('/')
    this.#say({ event: 'limit-asked', call, repository: key, limit })
    try {
      // The newer word wins, however late an older one comes.
      const metadata = { namespace, name, generation: call }
      await manager.setRepositoryLimit({ metadata, spec: { concurrencyLimit: limit } })
    } catch (error) {
      if (!isSlotkeeperError(error) || !error.retryable) throw error
      return false
    }
    this.#say({ event: 'limit-answered', call, repository: key, limit })
    return true
  }

  /** No more faults and wishes: everything comes to its end, and the store shows it. */
  async #rest(fleet: Fleet, desk: Desk): Promise<void> {
    for (const worker of fleet.alive) worker.say('rest')
    await this.#until('all workers are idle', () => fleet.alive.every((worker) => worker.isIdle))
    for (const key of this.#repositories)
      await this.#until(`nothing is held and nobody waits in ${key}`, async () => {
        await desk.tidy()
        await desk.settle(key)
        const row = await desk.repository(key)
        return row === undefined || (row.live === 0 && row.waiting === 0)
      })
    for (const worker of fleet.alive) worker.say('end')
    await this.#until('all workers have ended', () => fleet.alive.length === 0)
    for (const worker of fleet.lives) {
      const { code, signal } = await worker.ended
      if (!worker.killed && code !== 0)
        assert.fail(`${worker.name} ended with ${code ?? signal}:\n${worker.stderr}`)
    }
    for (const key of this.#repositories) await audit(desk, key)
    await this.#find(desk)
  }

  /** Writes down what the store shows of every run that was asked for. */
  async #find(desk: Desk): Promise<void> {
    this.#hear()
    const asked = this.#lines.flatMap((line) =>
      line.event === 'asked'
        ? [{ repository: line.repository as RepositoryKey, run: line.run as RunKey }]
        : [],
    )
    for (let from = 0; from < asked.length; from += 200) {
      const runs = asked.slice(from, from + 200)
      const found = await desk.again(() => desk.driver.read({ kind: 'runs', runs }))
      const phases = new Map(found.runs.map((row) => [`${row.repository} ${row.run}`, row.phase]))
      for (const { repository, run } of runs) {
        const phase = phases.get(`${repository} ${run}`)
        const is = phase === 'waiting' ? 'waiting' : phase !== undefined && isSlot(phase) ? 'slot' : 'ended'
        this.#say({ event: 'found', repository, run, as: phase === undefined ? 'absent' : is })
      }
    }
  }

  #verdict(faults: Faults): TortureReport {
    this.#hear()
    const writes = readLines<FenceWrite>(this.#resource)
    const lines = this.#lines.toSorted((a, b) => a.at - b.at)
    const violations = judgeTorture(lines, writes)
    if (violations.length > 0) assert.fail(tell(violations, lines))
    const granted = lines.filter((line) => line.event === 'granted' && !line.again)
    const lost: Record<string, number> = {}
    for (const line of lines) if (line.event === 'lost') lost[line.reason] = (lost[line.reason] ?? 0) + 1
    return {
      seed: this.#seed,
      lines,
      writes,
      figures: {
        grants: granted.length,
        adoptions: granted.filter((line) => line.event === 'granted' && line.adopted).length,
        processes: this.#fleet?.lives.length ?? 0,
        faults: faults.done,
        slotsHit: faults.slotsHit,
        lost,
        errors: this.#errors,
        writes: writes.length,
        refused: refusedWrites(writes).length,
      },
    }
  }

  #hear(): void {
    for (const line of this.#tail?.read() ?? []) {
      this.#lines.push(line)
      this.#fleet?.hear(line)
      if (line.event === 'granted') this.#grants++
      else if (line.event === 'error') this.#errors[line.code] = (this.#errors[line.code] ?? 0) + 1
    }
    const dead = this.#fleet?.lives.find((worker) => worker.isOver && !worker.killed && !this.#over)
    if (dead !== undefined) assert.fail(`${dead.name} died by itself:\n${dead.stderr}`)
  }

  /** Whether it comes to be so within the time. */
  async #comes(ms: number, probe: () => boolean | Promise<boolean>): Promise<boolean> {
    for (const until = machineMs() + ms; ; await sleep(LOOK_MS)) {
      this.#hear()
      if (await probe()) return true
      if (machineMs() > until) return false
    }
  }

  async #until(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
    if (await this.#comes(PATIENCE_MS, probe)) return
    const told = this.#fleet?.lives
      .filter(({ stderr }) => stderr !== '')
      .map(({ name, stderr }) => `${name}: ${stderr}`)
    const last = this.#lines.slice(-20).map((line) => JSON.stringify(line))
    assert.fail(
      [`It did not come about within ${PATIENCE_MS} ms that ${what}.`, ...(told ?? []), ...last].join('\n'),
    )
  }
}

/** The first violations, what proves them, and what was said around the last of it. */
function tell(violations: readonly TortureViolation[], lines: readonly TortureLine[]): string {
  const told = violations.slice(0, 3).map(({ rule, message, proof }) => {
    const at = Math.max(
      ...proof.map((entry) => ('at' in entry && Number.isFinite(entry.at) ? Number(entry.at) : 0)),
    )
    const around = lines.findIndex((line) => line.at >= at)
    return [
      `${rule}. ${message}`,
      ...proof.map((entry) => `  ${JSON.stringify(entry, bigints)}`),
      '  around it:',
      ...lines.slice(Math.max(0, around - 12), around + 4).map((line) => `    ${JSON.stringify(line)}`),
    ].join('\n')
  })
  return [`${violations.length} violations; the first:`, ...told].join('\n')
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
