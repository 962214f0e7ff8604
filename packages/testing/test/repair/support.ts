import assert from 'node:assert/strict'
import type { ActualRun, Drift, Manager, Repository, RunKey, Slot } from '@slotkeeper/core'
import { repository } from '@slotkeeper/core'

export const API = 'acme/api'

/** The repository of these tests. */
export function repo(limit = 1, metadata: { uid?: string; generation?: number } = {}): Repository {
  const made = repository(API, { concurrencyLimit: limit })
  return { ...made, metadata: { ...made.metadata, ...metadata } }
}

/** A run by its name, as the cluster shows it. */
export function actual(name: string | number, state: string, more: Partial<ActualRun> = {}): ActualRun {
  return { repository: repo(), run: `acme/${name}`, state, ...more }
}

/** A listing that begins when it is iterated; a function in it is done on the way. */
export async function* listing(
  ...steps: readonly (ActualRun | (() => unknown))[]
): AsyncGenerator<ActualRun> {
  for (const step of steps)
    if (typeof step === 'function') await step()
    else yield step
}

/** Enqueues and claims a durable run. */
export async function start(
  manager: Manager,
  name: string | number,
  { limit = 1, runUid }: { readonly limit?: number; readonly runUid?: string } = {},
): Promise<Slot> {
  const run: RunKey = `acme/${name}`
  const [outcome] = await manager.queueManager.addListToRunningQueue(repo(limit), [
    runUid === undefined ? run : { run, runUid },
  ])
  assert.ok(outcome?.kind === 'reserved', `${run} is ${outcome?.kind}`)
  assert.equal((await outcome.slot.claim()).kind, 'running')
  return outcome.slot
}

/** A drift in short: its kind, its run, and what was done. */
export function short(drifts: readonly Drift[]): string[] {
  return drifts.map((drift) => {
    const run = 'run' in drift ? ` ${drift.run.replace('acme/', '')}` : ''
    return `${drift.kind}${run}${'repair' in drift ? `: ${drift.repair.kind}` : ''}`
  })
}

/** Where the runs of the repository are: `1 running, 2 waiting`. */
export async function picture(manager: Manager): Promise<string> {
  const slots = await manager.getRunningPipelineRuns(API)
  const queue = await manager.getQueuedPipelineRuns(API)
  return [...slots.map(({ run, phase }) => `${run} ${phase}`), ...queue.map(({ run }) => `${run} waiting`)]
    .map((text) => text.replace('acme/', ''))
    .join(', ')
}
