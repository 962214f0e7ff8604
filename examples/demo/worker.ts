// A worker: a process with a Manager of its own that asks for slots for the runs that it was dealt, all at once, and does each in a
// child process. It knows nothing of the other workers; they meet in the SQLite file. The demo starts it and sends an Assignment.
import { setTimeout as pause } from 'node:timers/promises'
import { isSlotkeeperError, Manager, repository, type SlotRefusedError, silentLogger } from '@slotkeeper/core'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import type { Plan, PlannedRun } from './plan.ts'
import { type Place, runChild, StoppedError } from './run-child.ts'
import { openLog } from './run-log.ts'

/** What the demo tells a worker. */
export interface Assignment {
  readonly worker: string
  readonly database: string
  readonly logPath: string
  readonly ttlMs: number
  readonly repositories: Plan['repositories']
  readonly runs: readonly PlannedRun[]
}

/** How often it is looked whether runs that were asked for are in the queue by now. */
const LOOK_MS = 100

// The demo is gone, so nobody wants this any more. The children notice that their pipe ends.
process.once('disconnect', () => process.exit(1))
process.once('message', (assignment: Assignment) => void work(assignment))

async function work({ worker, database, logPath, ttlMs, repositories, runs }: Assignment): Promise<void> {
  const log = openLog(logPath)
  const manager = new Manager({
    driver: sqliteDriver({ path: database }),
    label: worker,
    holderTtlMs: ttlMs,
    logger: {
      ...silentLogger,
      error: (fields) => {
        if ('event' in fields && fields.event === 'holder-lost') log({ event: 'holder-lost', worker })
      },
    },
  })
  const limits = new Map(repositories.map(({ key, limit }) => [key, { concurrencyLimit: limit }]))
  const asking = new Map<string, PlannedRun>()
  const place: Place = { worker, logPath, log }

  /** Asks until the run is done; again where the slot was lost, or where a dead worker's claim on the run is not over yet. */
  async function perform(planned: PlannedRun): Promise<void> {
    const { run, priority } = planned
    const owner = repository(planned.repository, limits.get(planned.repository))
    for (;;) {
      log({ event: 'asked', worker, repository: planned.repository, run, priority })
      asking.set(run, planned)
      try {
        return await manager.withSlot({ repository: owner, run, priority }, (slot) => {
          asking.delete(run)
          return runChild(planned, slot, place)
        })
      } catch (error) {
        asking.delete(run)
        if (isHeldElsewhere(error)) await untilLetGo(planned)
        else if (!(error instanceof StoppedError)) throw error
      }
    }
  }

  /** Waits for the store to end what the run's last worker had. */
  async function untilLetGo({ run, repository }: PlannedRun): Promise<void> {
    for await (const event of manager.watchSlotAvailability(repository)) {
      if (event.kind !== 'resync' && event.run !== run) continue
      const { kind } = await manager.explain(repository, run)
      if (kind === 'ended' || kind === 'unknown') return
    }
  }

  /** Writes down which runs are known to wait: the judge holds the store to the order that this promises. */
  async function notePlaces(signal: AbortSignal): Promise<void> {
    for (; !signal.aborted; await pause(LOOK_MS))
      for (const repository of new Set([...asking.values()].map((planned) => planned.repository)))
        for (const entry of await manager.getQueuedPipelineRuns(repository))
          if (entry.holder === manager.holder && asking.delete(entry.run))
            log({ event: 'queued', worker, repository, run: entry.run })
  }

  const done = new AbortController()
  const noting = notePlaces(done.signal)
  await Promise.all(runs.map(perform))
  done.abort()
  await noting
  await manager.close()
  // Nothing keeps the process alive any more.
  process.removeAllListeners('disconnect')
  process.disconnect()
}

function isHeldElsewhere(error: unknown): boolean {
  return (
    isSlotkeeperError(error, 'SLOTKEEPER_SLOT_REFUSED') &&
    (error as SlotRefusedError).reason === 'held-elsewhere'
  )
}
