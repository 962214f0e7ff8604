// One replica of a controller: a process that may be killed at any moment. It keeps nothing in its head that matters: the runs are in the
// cluster, slots and queues in the store, and at its start it compares the two. Start as many as you like.
import { watch } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type ActualRun, type FinalState, Manager, type RunKey, type Slot } from '@slotkeeper/core'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import { Cluster } from './cluster.ts'

const [name = 'controller', folder = '', path = ''] = process.argv.slice(2)

/** How often it looks although nothing told it to. */
const RESYNC_MS = 250
/** How often the store is compared with the cluster. A real controller takes minutes. */
const AUDIT_MS = 1000

const cluster = new Cluster(folder)
const manager = new Manager({
  driver: sqliteDriver({ path }),
  label: name,
  holderTtlMs: 1500,
  claimTimeoutMs: 2000,
  logger: { debug() {}, info() {}, warn: tell, error: tell },
})
const { queueManager } = manager
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())
// Whoever started it is gone.
process.once('disconnect', () => process.exit(1))

// 1. Before anything else: what runs is counted, what is over is freed, what waits is queued.
await queueManager.initQueues(cluster.list())

let news = new AbortController()
const hear = () => news.abort()
const folderWatch = watch(folder, hear)
const watched = new Set<string>()
/** Runs that this process has started: by repository and lease, for a lease names a grant within its repository. */
const started = new Set<string>()
let audited = performance.now()

// 2. Then look again and again, whenever there may be news.
while (!stopping.signal.aborted) {
  news = new AbortController()
  await reconcile()
  if (performance.now() - audited > AUDIT_MS) {
    // 3. Now and then: adopts what a dead replica left behind.
    await manager.auditDrift(cluster.list(), { repair: true, reason: 'periodic audit' })
    audited = performance.now()
  }
  await pause(RESYNC_MS, undefined, { signal: news.signal }).catch(() => {})
}
folderWatch.close()
await manager.close()
process.disconnect?.()

/** One look at everything: ends what is over, queues what waits, and starts what has a slot. It may be repeated at any time. */
async function reconcile(): Promise<void> {
  const runs = new Map<string, ActualRun[]>()
  for await (const run of cluster.list()) {
    // What cannot be read is the audit's to report.
    if (run.repository?.metadata === undefined || run.runUid === undefined) continue
    const { namespace, name: of } = run.repository.metadata
    const key = `${namespace}/${of}`
    runs.set(key, [...(runs.get(key) ?? []), run])
  }
  for (const [key, ofRepository] of runs) {
    const [first] = ofRepository
    if (first === undefined) continue
    const { repository } = first
    if (!watched.has(key)) {
      watched.add(key)
      queueManager.setupWatcher(repository, hear)
    }
    const states = new Map(ofRepository.map((run) => [run.run, run]))
    for (const slot of await manager.getRunningPipelineRuns(repository)) {
      const run = states.get(slot.run)
      if (run === undefined || run.state === 'queued' || run.state === 'started') continue
      const next = await queueManager.removeAndTakeItemFromQueue(repository, slot.run, {
        state: run.state as FinalState,
      })
      if (next !== undefined) await claimAndStart(next)
    }
    const waiting = ofRepository
      .filter((run) => run.state === 'queued')
      .sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
    const outcomes = await queueManager.addListToRunningQueue(
      repository,
      waiting.map(({ run, runUid }) => ({ run: run as RunKey, ...(runUid === undefined ? {} : { runUid }) })),
    )
    for (const outcome of outcomes)
      if (outcome.kind === 'reserved' || outcome.kind === 'running') await claimAndStart(outcome.slot)
  }
}

/** Claim before start: of all replicas that see the reservation one becomes its holder, and only that one starts the run. */
async function claimAndStart(slot: Slot): Promise<void> {
  const grant = `${slot.repository} ${slot.leaseId}`
  if ((await slot.claim()).kind !== 'running' || started.has(grant)) return
  // The last moment at which it is known that nobody else has it.
  slot.assertHeld()
  started.add(grant)
  await cluster.start(slot.run, {
    by: name,
    token: String(slot.fencingToken),
    at: String(process.hrtime.bigint()),
  })
}

function tell(fields: object, message: string): void {
  const { event, drift, run, outcome, code } = fields as Record<string, unknown>
  process.stderr.write(`${name}: ${message} ${JSON.stringify({ event, drift, run, outcome, code })}\n`)
}
