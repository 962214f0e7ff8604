import { setTimeout as sleep } from 'node:timers/promises'
import { type Manager, repository, type Slot } from '@slotkeeper/core'
import { type Case, type Context, type Sample, valueNamed } from '../../harness/case.ts'
import { enqueue, newRuns } from '../pairs.ts'
import { withMemory } from './memory-manager.ts'

const DURABLE = 1_000_000
const WORKERS = 20_000

/** Long enough for what is to be done in the next turns of the event loop. */
const SETTLED_MS = 200

/** Bytes in use once the garbage is gone. */
async function used(): Promise<number> {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('Bytes are measured with --expose-gc.')
  await sleep(SETTLED_MS)
  gc()
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Bytes a run, its key of some 17 characters among them, where `add` makes so many wait. */
async function bytesOf(
  manager: Manager,
  count: number,
  add: (nextRun: ReturnType<typeof newRuns>) => Promise<unknown>,
): Promise<Sample> {
  const nextRun = newRuns('run')
  const of = repository('bench/bytes', { concurrencyLimit: 1 })
  // Everything that exists once exists now, and the only slot is taken.
  await enqueue(manager, of, 1, nextRun)
  const before = await used()
  const kept = await add(nextRun)
  const bytes = ((await used()) - before) / count
  const { waiting } = await manager.getCurrentSlots(of)
  if (waiting !== count) throw new Error(`${waiting} runs wait instead of ${count}.`)
  return kept === null ? {} : { bytes }
}

/** What a waiting run costs: the row of a durable one, and a caller of `waitForSlot` with its promise and its row. */
export const bytes: Case = {
  name: 'bytes a waiting run',
  nodeOptions: ['--max-old-space-size=12000'],
  mostRuns: 3,
  subjects: {
    durable: withMemory((manager, { quick }: Context) => {
      const count = quick ? DURABLE / 10 : DURABLE
      return bytesOf(manager, count, (nextRun) =>
        enqueue(manager, repository('bench/bytes', { concurrencyLimit: 1 }), count, nextRun),
      )
    }),
    worker: withMemory((manager, { quick }: Context) => {
      const count = quick ? WORKERS / 10 : WORKERS
      const of = repository('bench/bytes', { concurrencyLimit: 1 })
      return bytesOf(manager, count, async (nextRun) => {
        const promises: Promise<Slot | undefined>[] = []
        for (let left = count; left > 0; left--)
          // A caller waits on, so that somebody hears when the Manager closes.
          promises.push(manager.waitForSlot({ repository: of, run: nextRun() }).catch(() => undefined))
        return promises
      })
    }),
  },
  figures: [
    { name: 'durable entry', unit: 'bytes', ours: valueNamed('durable', 'bytes'), goal: { atMost: 400 } },
    { name: 'caller of waitForSlot', unit: 'bytes', ours: valueNamed('worker', 'bytes') },
  ],
}
