import { setTimeout as sleep } from 'node:timers/promises'
import {
  isSlotkeeperError,
  type RepositoryKey,
  repository as repositoryOf,
  type Slot,
  type SlotInfo,
} from '@slotkeeper/core'
import type { Bodies } from './bodies.ts'

/** How often a controller looks although nobody told it to. */
const BACKSTOP_MS = 250

/** What every process does beside its own wishes: claims reservations, adopts orphans, does the runs and ends them, until the signal. */
export async function control(bodies: Bodies, signal: AbortSignal): Promise<void> {
  await Promise.all(bodies.assignment.repositories.map((key) => controlOne(bodies, key, signal)))
}

async function controlOne(bodies: Bodies, key: RepositoryKey, signal: AbortSignal): Promise<void> {
  const { manager } = bodies
  let wake = () => {}
  const stop = manager.queueManager.setupWatcher(key, () => wake())
  const mine = new Map<string, Promise<void>>()
  while (!signal.aborted) {
    const woken = new Promise<void>((resolve) => {
      wake = resolve
    })
    try {
      for (const slot of await manager.getRunningPipelineRuns(key)) {
        if (mine.has(slot.run) || !slot.durable || slot.phase === 'running') continue
        const task = take(bodies, key, slot).finally(() => mine.delete(slot.run))
        mine.set(slot.run, task)
      }
    } catch (error) {
      if (!isSlotkeeperError(error)) throw error
    }
    const pause = new AbortController()
    const paused = sleep(BACKSTOP_MS, undefined, { signal: AbortSignal.any([pause.signal, signal]) }).catch(
      () => {},
    )
    await Promise.race([woken, paused])
    pause.abort()
    await sleep(bodies.random.below(10))
  }
  stop()
  await Promise.all(mine.values())
}

/** Tries to get a run that is nobody's; of several controllers one gets it. */
async function take(bodies: Bodies, key: RepositoryKey, info: SlotInfo): Promise<void> {
  const { manager } = bodies
  const call = Number(info.meta?.call)
  try {
    if (info.phase === 'orphaned') {
      const outcome = await manager.adoptSlot({ repository: key, run: info.run })
      if (outcome.kind !== 'granted') return
      // Answered after all to somebody who has it already.
      if (outcome.again) return
      bodies.granted(outcome.slot, call, { adopted: true })
      return await perform(bodies, outcome.slot, call)
    }
    const priority = 0
    const { meta } = info
    const [outcome] = await manager.queueManager.addToPendingQueue(repositoryOf(key), [
      meta === undefined ? { run: info.run, priority } : { run: info.run, priority, meta },
    ])
    if (outcome?.kind === 'reserved') await claim(bodies, outcome.slot, call)
  } catch (error) {
    if (!isSlotkeeperError(error)) throw error
  }
}

async function claim(bodies: Bodies, slot: Slot, call: number): Promise<void> {
  if ((await slot.claim()).kind !== 'running') return
  bodies.granted(slot, call)
  if (bodies.random.chance(0.05)) {
    // As if the start had provably failed.
    bodies.over(slot, call)
    await slot.requeue()
  } else await perform(bodies, slot, call)
}

/** Does the run and ends it: by its lease, or by its name, taking on whoever is next. */
async function perform(bodies: Bodies, slot: Slot, call: number): Promise<void> {
  await bodies.work(slot, call)
  if (bodies.random.chance(0.5) || !slot.isHeld) return bodies.release(slot, call)
  const { repository, run, leaseId: lease } = slot
  bodies.say({ event: 'finishing', repository, run, call, lease })
  const next = await finish(bodies, slot)
  if (next !== undefined) await claim(bodies, next, Number(next.meta?.call))
}

async function finish({ manager }: Bodies, { repository, run }: Slot): Promise<Slot | undefined> {
  for (;;)
    try {
      return await manager.queueManager.removeAndTakeItemFromQueue(repositoryOf(repository), run)
    } catch (error) {
      if (!isSlotkeeperError(error) || !error.retryable) throw error
      await sleep(10)
    }
}
