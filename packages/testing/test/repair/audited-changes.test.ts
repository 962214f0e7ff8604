import { isSlotkeeperError, repository, type SlotEvent } from '@slotkeeper/core'
import { recordingLogger, testManager } from '@slotkeeper/testing'
import { expect, test } from 'vitest'

const repo = repository('acme/api', { concurrencyLimit: 2 })
const audit = { actor: 'ops/anna', reason: 'the database is being upgraded' }

test('who pauses a repository or says its limit, and why, stands in the event and in the log', async () => {
  const logger = recordingLogger()
  await using t = testManager({ logger })
  await t.manager.setRepositoryLimit(repo)
  const events: SlotEvent[] = []
  t.manager.queueManager.setupWatcher(repo, (event) => events.push(event))
  await t.clock.advance(0)
  await t.manager.setRepositoryState(repo, 'paused', { audit })
  await t.manager.setRepositoryLimit(repository('acme/api', { concurrencyLimit: 1 }), { audit })
  await t.clock.advance(0)
  expect(events.find((event) => event.kind === 'repository-state')?.detail).toEqual({
    state: 'paused',
    ...audit,
  })
  expect(events.find((event) => event.kind === 'limit')?.detail).toEqual({
    limit: 1,
    source: 'local',
    ...audit,
  })
  expect(logger.find('audit')?.fields).toMatchObject({
    action: 'repository-state',
    repository: 'acme/api',
    state: 'paused',
    ...audit,
  })
})

test('a change without its reason is refused before any I/O', async () => {
  await using t = testManager()
  const wrong = { audit: { actor: 'ops/anna', reason: ' ' } }
  for (const change of [
    t.manager.setRepositoryState(repo, 'paused', wrong),
    t.manager.setRepositoryLimit(repo, wrong),
  ]) {
    const error = await change.catch((e: unknown) => e)
    expect(isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT')).toBe(true)
  }
  expect(await t.manager.getRepositories()).toEqual([])
})
