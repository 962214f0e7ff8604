import { existsSync } from 'node:fs'
import { expect } from 'vitest'
import { test } from './scene.ts'

test.concurrent('a store that is not there is 69, says so, and is not made', async ({ scene }) => {
  const repository = ['--repository', 'acme/api']
  const why = ['--reason', 'x', '--yes']
  for (const args of [
    ['status'],
    ['status', '--json'],
    ['status', '--store', 'sqlite:no/such/slots.db'],
    ['queue', ...repository],
    ['explain', ...repository, '--run', 'a/b'],
    ['release', ...repository, '--run', 'a/b', ...why],
    ['pause', ...repository, ...why],
    ['resume', ...repository],
    ['drain', ...repository, ...why],
    ['limit', ...repository],
    ['limit', 'set', ...repository, '--limit', '2'],
  ]) {
    const { code, stdout, stderr } = await scene.finish(args)
    expect({ code, stdout }).toEqual({ code: 69, stdout: '' })
    expect(stderr).toMatch(/^slotkeeper: There is no store sqlite:.* yet\. .*\n$/)
  }
  expect(existsSync(`${scene.directory}/slots.db`)).toBe(false)
  expect(existsSync(`${scene.directory}/no`)).toBe(false)
})

test.concurrent('slots and queues, as a table and as JSON', async ({ scene }) => {
  const holder = scene.work('holder', ['--limit', '1', '--run', 'acme/first', '--meta', 'commit=4f2a'])
  await scene.groupOf('holder')
  const waiter = scene.work('waiter', ['--limit', '1', '--run', 'acme/second', '--priority', '3', '--quiet'])
  await scene.until('it waits', async () => (await scene.status()).waiting === 1)

  const { stdout } = await scene.finish(['status', '--repository', 'acme/api', '--json'])
  expect(JSON.parse(stdout)).toEqual({
    store: scene.store,
    at: expect.stringMatching(/^\d{4}-.*Z$/),
    repositories: [
      {
        repository: 'acme/api',
        state: 'active',
        limit: 1,
        running: 1,
        reserved: 0,
        orphaned: 0,
        waiting: 1,
        slots: [
          {
            run: 'acme/first',
            phase: 'running',
            slotNumber: 1,
            holder: expect.stringContaining(`-${holder.pid}-`),
            durable: false,
            leaseId: expect.stringMatching(/^lease-/),
            fencingToken: expect.stringMatching(/^\d+$/),
            since: expect.any(String),
            expires: expect.any(String),
            meta: { commit: '4f2a' },
          },
        ],
        queue: [
          {
            place: 1,
            run: 'acme/second',
            priority: 3,
            holder: expect.stringContaining(`-${waiter.pid}-`),
            durable: false,
            since: expect.any(String),
            parkedUntil: null,
            meta: {},
          },
        ],
      },
    ],
  })
  const all = await scene.finish(['status'])
  expect(all.stdout).toMatch(
    /^REPOSITORY +LIMIT +RUNNING +RESERVED +ORPHANED +WAITING +STATE\nacme\/api +1 +1 +0 +0 +1 +active\n$/,
  )
  const one = await scene.finish(['status', '--repository', 'acme/api'])
  expect(one.stdout).toMatch(/^ +1 +acme\/first +\S+ +\d\d:\d\d:\d\d \([\dm]+s\) +in \d+s +running$/m)
  expect(one.stdout).toMatch(/^ +1 +acme\/second +\S+ +\d\d:\d\d:\d\d \([\dm]+s\) +3$/m)

  scene.open('all')
  await Promise.all([holder.ended, waiter.ended])
  const after = await scene.finish(['status', '--repository', 'acme/api'])
  expect(after.stdout).toContain('No slot is taken.\n\nNobody waits.\n')
})
