import { repository } from '@slotkeeper/core'
import { expect } from 'vitest'
import { type Scene, test } from './scene.ts'

const REPOSITORY = ['--repository', 'acme/api']
const repo = repository('acme/api', { concurrencyLimit: 1 })

/** One run has the slot, others wait behind it. */
async function queueOf(scene: Scene, waiting: readonly string[]): Promise<void> {
  await scene.manager.acquireSlot({ repository: repo, run: 'acme/first' })
  await scene.manager.queueManager.addToPendingQueue(
    repo,
    waiting.map((run) => ({ run: run as 'a/b' })),
  )
}

test.concurrent('queue shows the first twenty in order, and says how many more there are', async ({
  scene,
}) => {
  await queueOf(
    scene,
    Array.from({ length: 25 }, (_, index) => `acme/w${index}`),
  )
  const { code, stdout } = await scene.finish(['queue', ...REPOSITORY])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^acme\/api +1 +1 +0 +0 +25 +active$/m)
  expect(stdout.match(/^ +\d+ +acme\/w\d+/gm)).toHaveLength(20)
  expect(stdout).toMatch(/^ +1 +acme\/w0 +– +\d\d:\d\d:\d\d \(\d+s\) +0$/m)
  expect(stdout).toMatch(/^… and 5 more$/m)

  const json = JSON.parse((await scene.finish(['queue', ...REPOSITORY, '--first', '2', '--json'])).stdout)
  expect(json).toEqual({
    store: scene.store,
    at: expect.stringMatching(/Z$/),
    repository: 'acme/api',
    state: 'active',
    limit: 1,
    running: 1,
    reserved: 0,
    orphaned: 0,
    waiting: 25,
    queue: [
      expect.objectContaining({ place: 1, run: 'acme/w0', holder: null, durable: true, parkedUntil: null }),
      expect.objectContaining({ place: 2, run: 'acme/w1' }),
    ],
    more: 23,
  })
  expect((await scene.finish(['queue', '--repository', 'acme/other'])).stdout).toContain('Nobody waits.')
})

test.concurrent('explain says why a run waits, at which place, since when, and behind whom', async ({
  scene,
}) => {
  await queueOf(scene, ['acme/second', 'acme/third'])
  const third = await scene.finish(['explain', ...REPOSITORY, '--run', 'acme/third'])
  expect(third.code).toBe(0)
  expect(third.stdout).toMatch(
    /^acme\/third waits at place 2: 1 of 1 slots of acme\/api are taken\.\nSince \d\d:\d\d:\d\d \(\d+s\), priority 0\.\n/,
  )
  expect(third.stdout).toMatch(/^ +1 +acme\/first +manager-\w+ +.* +running$/m)
  expect(third.stdout).toMatch(/^Before it go:\nPLACE .*\n +1 +acme\/second /m)

  const { stdout } = await scene.finish(['explain', ...REPOSITORY, '--run', 'acme/third', '--json'])
  expect(JSON.parse(stdout)).toMatchObject({
    kind: 'waiting',
    place: 2,
    placeIsAtLeast: false,
    limit: 1,
    live: 1,
    priority: 0,
    slot: null,
    holders: [{ run: 'acme/first', slotNumber: 1 }],
    ahead: [{ run: 'acme/second', place: 1 }],
  })
  const first = await scene.finish(['explain', ...REPOSITORY, '--run', 'acme/first'])
  expect(first.stdout).toMatch(/^acme\/first runs in a slot .*\nSince .*, slot 1, lease lease-\w+\.\n$/)

  await scene.manager.setRepositoryState(repo, 'paused')
  const paused = await scene.finish(['explain', ...REPOSITORY, '--run', 'acme/second'])
  expect(paused.stdout).toContain('waits because acme/api is paused')
  expect(paused.stdout).toContain('Nobody goes before it.')
})

test.concurrent('explaining a run that nobody knows is 66, and says so', async ({ scene }) => {
  await queueOf(scene, [])
  const { code, stdout } = await scene.finish(['explain', ...REPOSITORY, '--run', 'acme/never'])
  expect(code).toBe(66)
  expect(stdout).toMatch(/^acme\/never is not known in acme\/api/)
})

test.concurrent('a name never reaches a terminal as an order to it, nor turns the text around', async ({
  scene,
}) => {
  const evil = 'acme/\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe'
  await queueOf(scene, [evil, 'acme/日本', 'acme/plain'])
  const explained = ['explain', ...REPOSITORY, '--run', evil]
  const shown = await Promise.all(
    [
      ['status', ...REPOSITORY],
      ['status', ...REPOSITORY, '--json'],
      ['queue', ...REPOSITORY],
      ['queue', ...REPOSITORY, '--json'],
      explained,
      [...explained, '--json'],
      ['release', ...REPOSITORY, '--run', evil, '--reason', 'x', '--yes'],
      ['pause', '--repository', evil, '--reason', 'x', '--yes'],
    ].map((args) => scene.finish(args)),
  )
  for (const { stdout, stderr } of shown) {
    expect(stdout + stderr).toMatch(/gnp\.exe/)
    for (const order of ['\x1b', '\x07', '\x9b', '\u202e']) expect(stdout + stderr).not.toContain(order)
  }
  expect(JSON.parse(shown[3]?.stdout ?? '').queue[0].run).toBe(evil)
  // What follows the wide name stands in its column.
  const rows = (shown[2]?.stdout ?? '').split('\n')
  const wide = rows.find((row) => row.includes('日本')) ?? ''
  const plain = rows.find((row) => row.includes('plain')) ?? ''
  expect(wide.indexOf('–') + 2).toBe(plain.indexOf('–'))
})

test.concurrent('colours are for terminals, and not with NO_COLOR', async ({ scene }) => {
  await queueOf(scene, ['acme/second'])
  expect((await scene.finish(['queue', ...REPOSITORY])).stdout).not.toContain('\x1b')
  expect(
    (await scene.type(['queue', ...REPOSITORY], { TERM: 'xterm', NO_COLOR: '' }).ended).stdout,
  ).toContain('\x1b[1mPLACE')
  expect(
    (await scene.type(['queue', ...REPOSITORY], { TERM: 'xterm', NO_COLOR: '1' }).ended).stdout,
  ).not.toContain('\x1b[1m')
})
