import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { processes, type Running, type Scene, test } from './scene.ts'

const LIMITED = ['--limit', '1', '--quiet']
/** Long enough for a machine with other work to send its heartbeats. */
const SHORT_LIVED = [...LIMITED, '--ttl', '4s']

/** What `first` and its children wrote after `second` had started: nothing, or they ran at the same time. */
function strayLines(scene: Scene, first: string, second: string): number {
  const lines = scene.journal()
  const startOfSecond = lines.findIndex(({ name, what }) => name === second && what === 'start')
  expect(startOfSecond).toBeGreaterThan(0)
  return lines.slice(startOfSecond).filter(({ name }) => name === first).length
}

/** A stubborn work that holds the only slot, and one that waits for it. */
async function holderAndWaiter(scene: Scene): Promise<{ holder: Running; waiter: Running; group: number }> {
  const holder = scene.work('first', SHORT_LIVED, ['stubborn'])
  const group = await scene.groupOf('first')
  const waiter = scene.work('second', LIMITED)
  await scene.until('the second one waits', async () => (await scene.status()).waiting === 1)
  return { holder, waiter, group }
}

test.concurrent('a wrapper killed with -9: nothing of its command lives when the next one starts', async ({
  scene,
}) => {
  const { holder, waiter, group } = await holderAndWaiter(scene)
  holder.kill('SIGKILL')
  await scene.until('the second one runs', () => scene.count('second', 'tick') > 20)
  expect(strayLines(scene, 'first', 'second')).toBe(0)
  expect(processes({ group })).toEqual([])
  scene.open('second')
  expect((await waiter.ended).code).toBe(0)
})

test.concurrent('a stopped wrapper: its command is ended before the next one starts, and on SIGCONT it answers 75', async ({
  scene,
}) => {
  const { holder, waiter, group } = await holderAndWaiter(scene)
  holder.kill('SIGSTOP')
  await scene.until('the second one runs', () => scene.count('second', 'tick') > 20)
  expect(strayLines(scene, 'first', 'second')).toBe(0)
  expect(processes({ group })).toEqual([])
  holder.kill('SIGCONT')
  const { code, stderr } = await holder.ended
  expect(code).toBe(75)
  expect(stderr).toMatch(/^slotkeeper: lease lost: .*The command was ended\.$/m)
  scene.open('second')
  expect((await waiter.ended).code).toBe(0)
})

test.concurrent('a command that ends while its wrapper is stopped is not run again, and the lost lease is told', async ({
  scene,
}) => {
  const { holder, waiter } = await holderAndWaiter(scene)
  holder.kill('SIGSTOP')
  scene.open('first')
  await scene.until('the second one runs', () => scene.count('second', 'start') > 0)
  expect(scene.count('first', 'end')).toBe(1)
  holder.kill('SIGCONT')
  const { code, stderr } = await holder.ended
  expect(code).toBe(75)
  expect(stderr).toContain('The command had ended by itself before that was noticed.')
  expect(scene.count('first', 'start')).toBe(1)
  scene.open('second')
  expect((await waiter.ended).code).toBe(0)
})

test.concurrent('a killed supervisor: the wrapper ends the command and frees the slot', async ({ scene }) => {
  const holder = scene.work('first', LIMITED, ['stubborn'])
  const group = await scene.groupOf('first')
  const [supervisor] = processes({ parent: holder.pid })
  process.kill(supervisor as number, 'SIGKILL')
  const { code, stderr } = await holder.ended
  expect(code).toBe(125)
  expect(stderr).toContain('supervise')
  expect(processes({ group })).toEqual([])
  expect((await scene.status()).running).toBe(0)
})

test.concurrent('a supervisor shrugs off whatever signal can be shrugged off', async ({ scene }) => {
  const holder = scene.work('first', LIMITED)
  await scene.groupOf('first')
  const [supervisor] = processes({ parent: holder.pid })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const)
    process.kill(supervisor as number, signal)
  const ticks = scene.count('first', 'tick')
  await scene.until('the command goes on', () => scene.count('first', 'tick') > ticks + 20)
  scene.open('first')
  expect((await holder.ended).code).toBe(0)
})

test.concurrent('a hold that is over: the command is ended and the answer is 75', async ({ scene }) => {
  const holder = scene.work('first', ['--limit', '1', '--max-hold', '1500ms', '--quiet'], ['stubborn'])
  const group = await scene.groupOf('first')
  const { code, stderr } = await holder.ended
  expect(code).toBe(75)
  expect(stderr).toContain('slotkeeper: lease lost')
  expect(processes({ group })).toEqual([])
})

test.concurrent('what a command leaves running in its group is ended before the slot is freed', async ({
  scene,
}) => {
  const { code } = await scene.finish([
    'run',
    '--repository',
    'acme/api',
    '--limit',
    '1',
    '--',
    'sh',
    '-c',
    'sleep 60 & echo $$ > left',
  ])
  expect(code).toBe(0)
  expect(processes({ group: Number(readFileSync(`${scene.directory}/left`, 'utf8')) })).toEqual([])
})
