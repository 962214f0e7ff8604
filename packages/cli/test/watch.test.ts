import { spawn } from 'node:child_process'
import { repository } from '@slotkeeper/core'
import { expect } from 'vitest'
import { BIN, Running, type Scene, test } from './scene.ts'

const WATCH = ['watch', '--repository', 'acme/api']
const repo = repository('acme/api', { concurrencyLimit: 1 })

function lines(text: string): readonly Record<string, unknown>[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

async function watching(scene: Scene, args = WATCH): Promise<Running> {
  await scene.manager.setRepositoryLimit(repo)
  const watch = scene.start(args)
  await scene.until('it watches', () => watch.stdout.includes('\n'))
  return watch
}

test.concurrent('watch prints what happens, one JSON object a line, beginning with a resync', async ({
  scene,
}) => {
  const watch = await watching(scene)
  const slot = await scene.manager.waitForSlot({ repository: repo, run: 'acme/one' })
  await slot.release()
  await scene.until('it tells', () => watch.stdout.includes('"released"'))
  watch.kill('SIGTERM')
  const { code, stdout, stderr } = await watch.ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const told = lines(stdout)
  expect(told[0]).toEqual({
    event: 'resync',
    repository: 'acme/api',
    at: expect.stringMatching(/Z$/),
    run: null,
    holder: null,
    leaseId: null,
    slotNumber: null,
    detail: null,
  })
  expect(told.find(({ event }) => event === 'granted')).toMatchObject({
    repository: 'acme/api',
    run: 'acme/one',
    leaseId: slot.leaseId,
    slotNumber: 1,
  })
})

test.concurrent('every signal that asks it to end ends it with 0', async ({ scene }) => {
  const ends = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map(async (signal) => {
    const watch = await watching(scene)
    watch.kill(signal)
    return watch.ended
  })
  for (const end of await Promise.all(ends)) expect(end).toMatchObject({ code: 0, signal: null, stderr: '' })
})

test.concurrent('it ends when nobody reads any more', async ({ scene }) => {
  await scene.manager.setRepositoryLimit(repo)
  const child = spawn(
    'sh',
    [
      '-c',
      '{ "$0" "$1" watch --repository acme/api; echo "ended $?" >&2; } | head -n 1',
      process.execPath,
      BIN,
    ],
    {
      cwd: scene.directory,
      env: { ...process.env, SLOTKEEPER_STORE: scene.store },
    },
  )
  const pipeline = new Running(child)
  await scene.until('the reader has read', () => pipeline.stdout.includes('resync'))
  // The first line after the reader's end is the one that nobody reads.
  await scene.until('it has ended', async () => {
    await (await scene.manager.waitForSlot({ repository: repo, run: 'acme/one' })).release()
    return pipeline.stderr.includes('ended')
  })
  expect(await pipeline.ended).toMatchObject({ code: 0, stderr: 'ended 0\n' })
})

test.concurrent('a reader that stands still holds up neither a signal nor the store', async ({ scene }) => {
  await scene.manager.setRepositoryLimit(repo)
  const watch = scene.start(WATCH)
  await scene.until('it watches', () => watch.stdout.includes('resync'))
  watch.child.stdout?.pause()
  // More than a pipe and a stream hold.
  for (let index = 0; index < 600; index++)
    await (
      await scene.manager.waitForSlot({ repository: repo, run: `acme/${'x'.repeat(400)}${index}` })
    ).release()
  watch.kill('SIGTERM')
  await new Promise((resolve) => watch.child.once('exit', resolve))
  expect(watch.child.exitCode).toBe(0)
  watch.child.stdout?.resume()
})

test.concurrent('a store that cannot be used is told at once: 69', async ({ scene }) => {
  expect(await scene.finish(WATCH)).toMatchObject({
    code: 69,
    stdout: '',
    stderr: expect.stringContaining('There is no store'),
  })
})
