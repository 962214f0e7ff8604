import { userInfo } from 'node:os'
import { repository } from '@slotkeeper/core'
import { expect } from 'vitest'
import { type Running, type Scene, test } from './scene.ts'

const REPOSITORY = ['--repository', 'acme/api']
const WHY = ['--reason', 'the node is gone']
const repo = repository('acme/api', { concurrencyLimit: 2 })
const RELEASE = ['release', ...REPOSITORY, '--run', 'acme/first', ...WHY]
/** What takes something from somebody. */
const TAKING = [
  RELEASE,
  ['pause', ...REPOSITORY, ...WHY],
  ['drain', ...REPOSITORY, ...WHY],
  ['limit', 'set', ...REPOSITORY, '--limit', '1', ...WHY],
]

async function asked(scene: Scene, args: readonly string[]): Promise<Running> {
  const running = scene.type(args)
  await scene.until('it asks', () => running.stdout.includes('[y/N]'))
  return running
}

/** All that these verbs could change. */
async function standing({ manager }: Scene): Promise<unknown> {
  const [info, slots] = [await manager.getCurrentSlots(repo), await manager.getRunningPipelineRuns(repo)]
  return { ...info, slots: slots.map(({ run, leaseId }) => [run, leaseId]) }
}

test.concurrent('without a terminal and without --yes nothing that takes something is done: 77, and the plan is told', async ({
  scene,
}) => {
  await scene.manager.acquireSlot({ repository: repo, run: 'acme/first' })
  const before = await standing(scene)
  const ends = await Promise.all(TAKING.map((args) => scene.finish(args, {}, 'y\n')))
  for (const { code, stdout, stderr } of ends) {
    expect({ code, stdout }).toEqual({ code: 77, stdout: '' })
    expect(stderr).toMatch(/^This will (free|pause|drain|lower) /)
    expect(stderr).toContain('Nothing was changed: there is no terminal to ask on. Add --yes')
  }
  expect(await standing(scene)).toEqual(before)
})

test.concurrent('on a terminal it asks: anything but yes, the end of the input, and Ctrl-C do nothing', async ({
  scene,
}) => {
  await scene.manager.acquireSlot({ repository: repo, run: 'acme/first' })
  const before = await standing(scene)
  for (const [index, typed] of ['n\n', '\n', 'yess\n', '\x04', '\x03'].entries()) {
    const running = await asked(scene, TAKING[index % TAKING.length] ?? [])
    running.child.stdin?.write(typed)
    const { code, stdout } = await running.ended
    expect(code).toBe(typed === '\x03' ? 130 : 77)
    if (typed !== '\x03') expect(stdout).toContain('slotkeeper: Nothing was changed.')
  }
  expect(await standing(scene)).toEqual(before)
})

test.concurrent('yes on the terminal does it', async ({ scene }) => {
  await scene.manager.acquireSlot({ repository: repo, run: 'acme/first' })
  for (const args of TAKING) {
    const running = await asked(scene, args)
    running.child.stdin?.write('y\n')
    expect((await running.ended).code).toBe(0)
  }
  expect(await standing(scene)).toMatchObject({ state: 'draining', limit: 1, slots: [] })
})

test.concurrent('who lowers a limit says why; the others say it before the store is looked at', async ({
  scene,
}) => {
  await scene.manager.setRepositoryLimit(repo)
  const { code, stderr } = await scene.finish(['limit', 'set', ...REPOSITORY, '--limit', '1', '--yes'])
  expect(code).toBe(125)
  expect(stderr).toContain('--reason is missing')
  expect(await standing(scene)).toMatchObject({ limit: 2 })
})

test.concurrent('release frees the slot, says who got its place, and leaves who and why in the trail', async ({
  scene,
}) => {
  const one = repository('acme/api', { concurrencyLimit: 1 })
  const { leaseId } = await scene.manager.waitForSlot({ repository: one, run: 'acme/first' })
  await scene.manager.queueManager.addToPendingQueue(one, [{ run: 'acme/second' }])
  const watch = scene.start(['watch', ...REPOSITORY])
  await scene.until('it watches', () => watch.stdout.includes('resync'))
  const { code, stdout, stderr } = await scene.finish([...RELEASE, '--yes', '--json', '--actor', 'ops/anna'])
  expect(code).toBe(0)
  expect(stderr).toMatch(
    /^This will free slot 1 of acme\/api, which acme\/first has since \d\d:\d\d:\d\d \(\d+s\):\nrunning, kept by manager-\w+, not durable: .*; lease lease-\w+\.\n/,
  )
  expect(JSON.parse(stdout)).toEqual({
    store: scene.store,
    at: expect.stringMatching(/Z$/),
    action: 'release',
    repository: 'acme/api',
    actor: 'ops/anna',
    reason: 'the node is gone',
    run: 'acme/first',
    slot: expect.objectContaining({ run: 'acme/first', leaseId, phase: 'running' }),
    promoted: ['acme/second'],
  })
  await scene.until('the trail tells', () => watch.stdout.includes('"released"'))
  const line = watch.stdout.split('\n').find((text) => text.includes('"released"')) ?? ''
  expect(JSON.parse(line)).toMatchObject({
    event: 'released',
    run: 'acme/first',
    leaseId,
    detail: { actor: 'ops/anna', reason: 'the node is gone' },
  })
  expect((await scene.finish([...RELEASE, '--yes'])).code).toBe(66)
})

test.concurrent('a slot that changes hands while it is asked about is not freed: 76', async ({ scene }) => {
  const slot = await scene.manager.waitForSlot({ repository: repo, run: 'acme/first' })
  const running = await asked(scene, RELEASE)
  await slot.release()
  const again = await scene.manager.waitForSlot({ repository: repo, run: 'acme/first' })
  running.child.stdin?.write('yes\n')
  const { code, stdout } = await running.ended
  expect(code).toBe(76)
  expect(stdout).toContain(`Nothing was freed: acme/first has lost the lease ${slot.leaseId} meanwhile.`)
  expect(again.isHeld).toBe(true)
  expect(await standing(scene)).toMatchObject({ slots: [['acme/first', again.leaseId]] })

  const named = await scene.finish([...RELEASE, '--yes', '--lease', slot.leaseId])
  expect(named.code).toBe(76)
  expect(named.stderr).toContain(`acme/first has the lease ${again.leaseId} now`)
  expect((await scene.finish([...RELEASE, '--yes', '--lease', again.leaseId])).code).toBe(0)
})

test.concurrent('pause, drain and resume: what they do, what they print, and that they are done once', async ({
  scene,
}) => {
  await scene.manager.setRepositoryLimit(repo)
  const pause = await scene.finish(['pause', ...REPOSITORY, ...WHY, '--yes', '--json'])
  expect(JSON.parse(pause.stdout)).toEqual({
    store: scene.store,
    at: expect.any(String),
    action: 'pause',
    repository: 'acme/api',
    actor: userInfo().username,
    reason: 'the node is gone',
    before: 'active',
    state: 'paused',
  })
  expect(await scene.manager.acquireSlot({ repository: repo, run: 'acme/x' })).toMatchObject({
    reason: 'paused',
  })
  const again = await scene.finish(['pause', ...REPOSITORY, ...WHY])
  expect(again).toMatchObject({ code: 0, stdout: 'acme/api is paused already; nothing was changed.\n' })
  const drain = await scene.finish(['drain', ...REPOSITORY, ...WHY, '--yes'])
  expect(drain.stdout).toBe('acme/api is draining (it was paused).\n')
  const resume = await scene.finish(['resume', ...REPOSITORY])
  expect(resume).toMatchObject({ code: 0, stdout: 'acme/api is active again; 0 waited (it was draining).\n' })
  expect(await scene.manager.getRepositoryState(repo)).toBe('active')
})

test.concurrent('a limit is shown, raised without a question, and lowered with one', async ({ scene }) => {
  await scene.manager.setRepositoryLimit(repo)
  const shown = await scene.finish(['limit', ...REPOSITORY, '--json'])
  expect(JSON.parse(shown.stdout)).toMatchObject({ repository: 'acme/api', limit: 2, state: 'active' })
  const set = (limit: string, ...more: string[]) =>
    scene.finish(['limit', 'set', ...REPOSITORY, '--limit', limit, ...more])
  expect((await set('4')).stdout).toBe('The limit of acme/api is 4 (it was 2).\n')
  expect((await set('4')).stdout).toBe('The limit of acme/api is 4 already.\n')
  expect((await set('0')).stdout).toBe('The limit of acme/api is unlimited (it was 4).\n')
  expect((await set('9', ...WHY)).code).toBe(77) // unlimited is more than any limit
  const lowered = await set('3', ...WHY, '--yes', '--json')
  expect(JSON.parse(lowered.stdout)).toMatchObject({ action: 'limit', before: 'unlimited', limit: 3 })
  expect((await scene.finish(['limit', ...REPOSITORY])).stdout).toMatch(/^acme\/api +3 +0 /m)
})

test.concurrent('a limit that a controller gives is not overruled from here', async ({ scene }) => {
  const { metadata, spec } = repo
  await scene.manager.setRepositoryLimit({ metadata: { ...metadata, uid: 'u1', generation: 7 }, spec })
  const { code, stderr } = await scene.finish(['limit', 'set', ...REPOSITORY, '--limit', '5'])
  expect(code).toBe(125)
  expect(stderr).toContain('The limit of acme/api stays 2: a controller gives it')
  expect(await standing(scene)).toMatchObject({ limit: 2 })
})

test.concurrent('a repository that nobody knows is 66, with the nearest that is known, and is not made', async ({
  scene,
}) => {
  await scene.manager.setRepositoryLimit(repo)
  const wrong = ['pause', 'drain', 'resume', 'limit'].map((verb) =>
    scene.finish([verb, '--repository', 'acme/apy', ...(verb === 'limit' ? [] : [...WHY, '--yes'])]),
  )
  for (const { code, stderr } of await Promise.all(wrong)) {
    expect(code).toBe(66)
    expect(stderr).toContain('The store knows no repository acme/apy. Did you mean acme/api?')
  }
  expect(await scene.manager.getRepositories()).toHaveLength(1)
})

test.concurrent('what the store keeps waiting is told, and done when it can be', async ({ scene }) => {
  await scene.manager.setRepositoryLimit(repo)
  const lock = await scene.holdLock()
  const running = scene.start(['pause', ...REPOSITORY, ...WHY, '--yes'])
  await scene.until('it is told', () => running.stderr.includes('so far; the store has not answered yet'))
  lock.child.stdin?.end('release')
  expect((await running.ended).code).toBe(0)
  expect(running.stderr.match(/so far/g)).toHaveLength(1)
})
