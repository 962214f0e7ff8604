import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Manager,
  type ManagerOptions,
  type Repository,
  type RunKey,
  repository,
  type Slot,
  type SlotRequest,
} from '@slotkeeper/core'
import { createDecide, type Driver, type Manifest } from '@slotkeeper/core/driver'
import { type FaultyDriver, type FaultyDriverOptions, faultyDriver } from '../faults/faulty-driver.ts'
import { Desk } from './desk.ts'

/** The store that a test works on. */
interface Place {
  readonly store: string
  readonly open: (store: string) => Driver | Promise<Driver>
  readonly cleanup: ((store: string) => void | Promise<void>) | undefined
}

/** How long a test waits for what must come about, before it fails. */
const PATIENCE_MS = 20_000

/** For calls that shall fail. A machine that stalls for a moment must not make the others fail too. */
export const HASTY_MS = 1000

/** A wait for a slot, as it is at the moment. */
export interface Waiting {
  readonly promise: Promise<Slot>
  slot: Slot | undefined
  error: unknown
}

/** What one test has: a store of its own, drivers and Managers on it, and patience. All of it is closed when the test is over. */
export class Lab {
  readonly manifest: Manifest
  /** The shortest time to live that tests let holders have who are meant to die. */
  readonly ttlMs: number
  readonly #place: Place
  readonly #unused: Driver[]
  readonly #drivers: Driver[] = []
  readonly #faulty: FaultyDriver[] = []
  readonly #managers: Manager[] = []
  readonly #undo: (() => void | Promise<void>)[] = []

  private constructor(place: Place, first: Driver) {
    this.#place = place
    this.#unused = [first]
    this.manifest = first.manifest
    this.ttlMs = Math.max(first.manifest.minimumTtlMs, 300)
  }

  /** Runs a test in a lab and tidies up, whatever happens. */
  static async use(place: Place, body: (lab: Lab) => Promise<void>): Promise<void> {
    const lab = new Lab(place, await place.open(place.store))
    try {
      await body(lab)
    } finally {
      await lab.#close()
    }
  }

  /** A new driver on the store of this test, not opened. */
  async driver(): Promise<Driver> {
    const driver = this.#unused.pop() ?? (await this.#place.open(this.#place.store))
    this.#drivers.push(driver)
    return driver
  }

  /** A driver, opened, and somebody who sends it commands. */
  async desk(options: { readonly recordTtlMs?: number } = {}): Promise<Desk> {
    const driver = await this.driver()
    await driver.open({ schema: 'migrate' })
    return new Desk(driver, createDecide({ recordTtlMs: options.recordTtlMs ?? 86_400_000 }))
  }

  async desks<N extends number>(count: N): Promise<Many<N, Desk>> {
    const desks: Desk[] = []
    while (desks.length < count) desks.push(await this.desk())
    return desks as unknown as Many<N, Desk>
  }

  /** A Manager on the store of this test. Its holder lives long: a machine that stalls for a moment changes nothing. */
  async manager(options: Omit<ManagerOptions, 'driver'> = {}): Promise<Manager> {
    return this.managerOf(await this.driver(), options)
  }

  async managers<N extends number>(
    count: N,
    options?: Omit<ManagerOptions, 'driver'>,
  ): Promise<Many<N, Manager>> {
    const managers: Manager[] = []
    while (managers.length < count) managers.push(await this.manager(options))
    return managers as unknown as Many<N, Manager>
  }

  managerOf(driver: Driver, options: Omit<ManagerOptions, 'driver'> = {}): Manager {
    const manager = new Manager({ label: 'conformance', ...options, driver })
    this.#managers.push(manager)
    return manager
  }

  /** A Manager whose driver can be made to fail, opened; asynchronous, whatever the driver is. */
  async faulty(
    options: Omit<ManagerOptions, 'driver'> = {},
    faults: FaultyDriverOptions = {},
  ): Promise<{ readonly manager: Manager; readonly faults: FaultyDriver }> {
    const driver = faultyDriver(await this.driver(), { asynchronous: true, ...faults })
    this.#faulty.push(driver)
    const manager = this.managerOf(driver, options)
    // To open a store takes longer than a call may that shall fail.
    await manager.health({ timeoutMs: PATIENCE_MS })
    return { manager, faults: driver }
  }

  /** A Manager that can be made to die. Its holder dies soon after it. */
  mortal(options: Omit<ManagerOptions, 'driver'> = {}): ReturnType<Lab['faulty']> {
    return this.faulty({ holderTtlMs: this.ttlMs, ...options })
  }

  /** A Manager, and somebody beside it who has everything settled that is due, as often as he can. */
  async witness(options: Omit<ManagerOptions, 'driver'> = {}): Promise<Manager> {
    const [manager, desk] = [await this.manager(options), await this.desk()]
    const controller = new AbortController()
    const settling = (async () => {
      while (!controller.signal.aborted) {
        await desk.tidy()
        const { repositories } = await desk.again(() =>
          desk.driver.read({ kind: 'repositories', after: '', first: 16 }),
        )
        for (const row of repositories) await desk.settle(row.domain)
        await sleep(20, undefined, { signal: controller.signal }).catch(() => {})
      }
    })()
    this.later(async () => {
      controller.abort()
      await settling
    })
    return manager
  }

  /** To be undone when the test is over. */
  later(undo: () => void | Promise<void>): void {
    this.#undo.push(undo)
  }

  /** Waits for a slot without holding up the test. */
  wait(manager: Manager, request: SlotRequest): Waiting {
    const promise = manager.waitForSlot(request)
    const waiting: Waiting = { promise, slot: undefined, error: undefined }
    promise.then(
      (slot) => {
        waiting.slot = slot
      },
      (error) => {
        waiting.error = error
      },
    )
    return waiting
  }

  /** Waits for slots, one after the other, so that their order in the queue is certain. */
  async queue<const R extends readonly SlotRequest[]>(
    manager: Manager,
    requests: R,
  ): Promise<{ -readonly [K in keyof R]: Waiting }> {
    const waitings: Waiting[] = []
    for (const request of requests) {
      const waiting = this.wait(manager, request)
      waitings.push(waiting)
      await this.until(`${request.run} waits`, async () => {
        if (waiting.error !== undefined) throw waiting.error
        return waiting.slot !== undefined || (await isQueued(manager, request.repository, request.run))
      })
    }
    return waitings as { -readonly [K in keyof R]: Waiting }
  }

  /** Asks again and again until there is an answer that is neither `false` nor `undefined`. */
  async until<T>(
    what: string,
    probe: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 25)) {
      const found = await probe()
      if (found !== undefined && found !== false) return found
      if (performance.now() > deadline)
        assert.fail(`It did not come about within ${PATIENCE_MS} ms that ${what}.`)
      await sleep(pauseMs)
    }
  }

  /** Awaits something that must not hang. */
  async settles<T>(what: string, promise: Promise<T>): Promise<T> {
    const timer = new AbortController()
    const late = sleep(PATIENCE_MS, undefined, { signal: timer.signal }).then(
      () => assert.fail(`It did not come about within ${PATIENCE_MS} ms that ${what}.`),
      () => undefined as never,
    )
    try {
      return await Promise.race([promise, late])
    } finally {
      timer.abort()
    }
  }

  async #close(): Promise<void> {
    for (const undo of this.#undo) await undo()
    for (const driver of this.#faulty) driver.end()
    const closed = await Promise.allSettled([
      ...this.#managers.map((manager) => this.settles('a Manager closes', manager.close())),
    ])
    for (const driver of [...this.#drivers, ...this.#unused])
      closed.push(...(await Promise.allSettled([closeDriver(driver)])))
    await this.#place.cleanup?.(this.#place.store)
    for (const result of closed) if (result.status === 'rejected') throw result.reason
  }
}

async function closeDriver(driver: Driver): Promise<void> {
  await driver.close()
}

/** So many of something, as a tuple where the number is written out. */
export type Many<N extends number, T> = number extends N ? T[] : Tuple<N, T, []>
type Tuple<N extends number, T, R extends T[]> = R['length'] extends N ? R : Tuple<N, T, [T, ...R]>

/** Whether a run waits in the store. */
export async function isQueued(manager: Manager, repo: Repository, run: RunKey): Promise<boolean> {
  return (await manager.getQueuedPipelineRuns(repo)).some((entry) => entry.run === run)
}

/** A repository of the tests. */
export function repo(limit?: number | null, name = 'api'): Repository {
  return repository(`acme/${name}`, limit === undefined ? {} : { concurrencyLimit: limit })
}

/** Runs by number: `acme/run-0` and so on. */
export function run(name: number | string): RunKey {
  return `acme/run-${name}`
}

/** A request for a run. */
export function ask(of: Repository, name: number | string, more: Partial<SlotRequest> = {}): SlotRequest {
  return { repository: of, run: run(name), ...more }
}

/** The slot of a request that must be granted at once. */
export async function grantedTo(manager: Manager, request: SlotRequest): Promise<Slot> {
  const outcome = await manager.acquireSlot(request)
  assert.equal(
    outcome.kind,
    'granted',
    `${request.run} should have been granted, but was ${describe(outcome)}`,
  )
  return (outcome as { slot: Slot }).slot
}

function describe(outcome: { readonly kind: string; readonly reason?: string }): string {
  return outcome.reason === undefined ? outcome.kind : `${outcome.kind}: ${outcome.reason}`
}
