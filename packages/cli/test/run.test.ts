import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'vitest'
import { BIN, Running, test } from './scene.ts'

const RUN = ['run', '--repository', 'acme/api', '--limit', '1']

test.concurrent('twenty at once never exceed a limit of three, and all of them run', async ({ scene }) => {
  const script = 'echo "$0 start 0" >>"$SCENE/journal"; sleep 0.3; echo "$0 end 0" >>"$SCENE/journal"'
  const xargs = spawn(
    'xargs',
    [
      '-P',
      '20',
      '-I{}',
      process.execPath,
      BIN,
      'run',
      '--repository',
      'acme/api',
      '--limit',
      '3',
      '--',
      'sh',
      '-c',
      script,
      '{}',
    ],
    { env: { ...process.env, SLOTKEEPER_STORE: scene.store, SCENE: scene.directory } },
  )
  xargs.stdin.end(Array.from({ length: 20 }, (_, index) => `w${index}\n`).join(''))
  const ended = await new Running(xargs).ended
  expect(ended.code, ended.stderr).toBe(0)
  let [running, peak] = [0, 0]
  for (const { what } of scene.journal()) {
    running += what === 'start' ? 1 : -1
    peak = Math.max(peak, running)
  }
  expect(peak).toBeGreaterThan(1)
  expect(peak).toBeLessThanOrEqual(3)
  expect(new Set(scene.journal().map(({ name, what }) => name + what)).size).toBe(40)
})

test.concurrent('the command’s own exit code is passed on, and 128 and the number of the signal that killed it', async ({
  scene,
}) => {
  expect((await scene.finish([...RUN, '--', 'sh', '-c', 'exit 7'])).code).toBe(7)
  expect((await scene.finish([...RUN, '--', 'sh', '-c', 'kill -9 $$'])).code).toBe(137)
  expect((await scene.finish([...RUN, '--', 'true'])).code).toBe(0)
  expect(await scene.status()).toMatchObject({ running: 0, waiting: 0 })
})

test.concurrent('a command that is not there is 127, one that cannot be run 126, and no slot stays taken', async ({
  scene,
}) => {
  expect(await scene.finish([...RUN, '--', 'no-such-command'])).toMatchObject({
    code: 127,
    stderr: 'slotkeeper: no-such-command: command not found.\n',
  })
  expect((await scene.finish([...RUN, '--', '/etc/passwd'])).code).toBe(126)
  expect((await scene.finish([...RUN, '--', '/'])).code).toBe(126)
  writeFileSync(`${scene.directory}/orphan`, '#!/no/such/interpreter\n', { mode: 0o755 })
  expect((await scene.finish([...RUN, '--', './orphan'])).code).toBe(127) // known only when it is started, under the slot
  expect(await scene.status()).toMatchObject({ running: 0, waiting: 0 })
})

test.concurrent('the command learns of its slot, and not of an outer one', async ({ scene }) => {
  const outer = { SLOTKEEPER_SLOT_NUMBER: '9', 'odd.name-x': 'kept' }
  const limited = await scene.finish([...RUN, '--run', 'acme/build-1', '--', 'env'], outer)
  expect(limited.stdout).toMatch(/^SLOTKEEPER_REPOSITORY=acme\/api$/m)
  expect(limited.stdout).toMatch(/^SLOTKEEPER_RUN=acme\/build-1$/m)
  expect(limited.stdout).toMatch(/^SLOTKEEPER_LEASE_ID=lease-\w+$/m)
  expect(limited.stdout).toMatch(/^SLOTKEEPER_FENCING_TOKEN=\d+$/m)
  expect(limited.stdout).toMatch(/^SLOTKEEPER_SLOT_NUMBER=1$/m)
  expect(limited.stdout).toMatch(/^odd\.name-x=kept$/m)
  const unlimited = await scene.finish(
    ['run', '--repository', 'acme/free', '--limit', '0', '--', 'env'],
    outer,
  )
  expect(unlimited.stdout).not.toContain('SLOT_NUMBER')
  expect(unlimited.stdout).toMatch(/^SLOTKEEPER_RUN=acme\/env-.+-\d+-[0-9a-f]{6}$/m)
})

test.concurrent('standard input, output and error are the command’s', async ({ scene }) => {
  const ended = await scene.finish([...RUN, '--', 'sh', '-c', 'cat; echo oops >&2'], {}, 'hi\n')
  expect(ended).toMatchObject({ code: 0, stdout: 'hi\n', stderr: 'oops\n' })
})

test.concurrent('waiting too long is 124, and leaves nothing in the queue', async ({ scene }) => {
  const holder = scene.work('holder', ['--limit', '1'])
  await scene.groupOf('holder')
  expect(await scene.finish([...RUN, '--wait', '300ms', '--', 'true'])).toMatchObject({
    code: 124,
    stderr: expect.stringMatching(/^slotkeeper: acme\/api .*: no slot came free within 300 ms/),
  })
  expect((await scene.finish([...RUN, '--wait', '0', '--', 'true'])).code).toBe(124)
  expect(await scene.status()).toMatchObject({ running: 1, waiting: 0 })
  scene.open('holder')
  expect((await holder.ended).code).toBe(0)
})

test.concurrent('a signal during the wait gives the place up and is answered with 128 and its number', async ({
  scene,
}) => {
  const holder = scene.work('holder', ['--limit', '1'])
  await scene.groupOf('holder')
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGUSR1', 138],
  ] as const) {
    const waiter = scene.work('never', ['--limit', '1', '--quiet'])
    await scene.until('it waits', async () => (await scene.status()).waiting === 1)
    waiter.kill(signal)
    expect(await waiter.ended).toMatchObject({ code, stderr: '' })
    expect(await scene.status()).toMatchObject({ running: 1, waiting: 0 })
  }
  scene.open('holder')
  await holder.ended
  expect(scene.count('never', 'start')).toBe(0)
})

test.concurrent('signals reach the command, whose own answer is passed on', async ({ scene }) => {
  const run = scene.work('w', ['--limit', '1'], ['polite'])
  await scene.groupOf('w')
  for (const signal of ['INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'TERM'] as const) {
    run.kill(`SIG${signal}`)
    await scene.until(`it got ${signal}`, () => scene.count('w', signal) === 1)
  }
  expect((await run.ended).code).toBe(3)
})

test.concurrent('who waits is told in plain lines: the place, who holds the slots, since when', async ({
  scene,
}) => {
  const holder = scene.work('holder', ['--limit', '1', '--run', 'acme/first', '--label', 'desk-7'])
  await scene.groupOf('holder')
  const waiter = scene.work('waiter', ['--limit', '1'])
  const json = scene.work('json', ['--limit', '1', '--json'])
  await scene.until('both are told', () => waiter.stderr.includes('\n') && json.stderr.includes('\n'))
  expect(waiter.stderr).toMatch(
    /^slotkeeper: acme\/api: place \d, waiting [\dm]+s; 1 of 1 taken: acme\/first since \d\d:\d\d:\d\d \(desk-7-\w+\)\n/,
  )
  expect(JSON.parse(json.stderr.split('\n')[0] as string)).toMatchObject({
    event: 'waiting',
    limit: 1,
    holders: [{ run: 'acme/first' }],
  })
  scene.open('all')
  const ends = await Promise.all([holder.ended, waiter.ended, json.ended])
  expect(ends.map(({ code }) => code)).toEqual([0, 0, 0])
  expect(
    ends[2].stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).event),
  ).toEqual(expect.arrayContaining(['granted', 'ended']))
})

test.concurrent('higher priorities go first', async ({ scene }) => {
  const holder = scene.work('holder', ['--limit', '1'])
  await scene.groupOf('holder')
  const low = scene.work('low', ['--limit', '1', '--quiet'])
  await scene.until('the low one waits', async () => (await scene.status()).waiting === 1)
  const high = scene.work('high', ['--limit', '1', '--priority', '5', '--quiet'])
  await scene.until('the high one waits', async () => (await scene.status()).waiting === 2)
  scene.open('all')
  await Promise.all([holder.ended, low.ended, high.ended])
  expect(
    scene
      .journal()
      .filter(({ what }) => what === 'start')
      .map(({ name }) => name),
  ).toEqual(['holder', 'high', 'low'])
})

test.concurrent('a store that cannot be used is 69', async ({ scene }) => {
  const missing = `sqlite:${scene.directory}/no/such/slots.db`
  expect(await scene.finish([...RUN, '--store', missing, '--', 'true'])).toMatchObject({
    code: 69,
    stderr: expect.stringContaining('does not exist'),
  })
  writeFileSync(`${scene.directory}/text`, 'no database\n'.repeat(1000))
  expect((await scene.finish([...RUN, '--store', `sqlite:${scene.directory}/text`, '--', 'true'])).code).toBe(
    69,
  )
  expect(readFileSync(`${scene.directory}/text`, 'utf8')).toBe('no database\n'.repeat(1000))
})

test.concurrent('without a word about the store it is the user’s own file, in a directory of the user’s own', async ({
  scene,
}) => {
  const { code } = await scene.finish([...RUN, '--', 'true'], {
    SLOTKEEPER_STORE: '',
    XDG_STATE_HOME: `${scene.directory}/state`,
  })
  expect(code).toBe(0)
  expect(existsSync(`${scene.directory}/state/slotkeeper/slots.db`)).toBe(true)
})
