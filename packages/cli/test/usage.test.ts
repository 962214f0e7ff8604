import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { BIN, Running, test } from './scene.ts'

const RUN = ['run', '--repository', 'acme/api', '--limit', '1']

test.concurrent('what cannot be meant is 125, in a sentence that says what was found', async ({ scene }) => {
  const wrong: [string[], string][] = [
    [[], 'The verb is missing'],
    [['rnu'], 'There is no verb "rnu". Did you mean run?'],
    [['run', '--repo', 'acme/api'], 'There is no option "--repo". Did you mean --repository?'],
    [['run', '--limit', '1', '--', 'true'], '--repository is missing'],
    [['run', '--repository', 'acme/api', '--', 'true'], '--limit is missing'],
    [['run', '--repository', 'acme', '--limit', '1', '--', 'true'], 'repository "acme" is not a key'],
    [['run', '--repository', 'acme/api', '--limit', '1.5', '--', 'true'], '--limit is "1.5"'],
    [['run', '--repository', 'acme/api', '--limit', '--quiet', '--', 'true'], '--limit needs a value'],
    [[...RUN], 'The command is missing'],
    [[...RUN, '--'], 'The command is missing'],
    [[...RUN, 'make', '--', 'test'], '"make" is no option'],
    [[...RUN, '--run', 'x', '--', 'true'], '--run: '],
    [[...RUN, '--priority', 'high', '--', 'true'], '--priority is "high"'],
    [[...RUN, '--wait', 'soon', '--', 'true'], '--wait: "soon" is not a duration'],
    [[...RUN, '--ttl', '1ms', '--', 'true'], '--ttl is "1ms", and it must be 1000 ms or longer'],
    [[...RUN, '--meta', 'novalue', '--', 'true'], '--meta is "novalue", and it must be NAME=VALUE'],
    [[...RUN, '--store', 'memory:', '--', 'true'], 'would limit nothing'],
    [[...RUN, '--store', 'etcd://host:port', '--', 'true'], 'is no address of an etcd'],
    [[...RUN, '--store', 'etcd://host/slots?ca=x', '--', 'true'], 'has a parameter that cannot be used'],
    [[...RUN, '--store', 'etcd://ann@host/slots', '--', 'true'], 'a user of etcd without a password'],
    [[...RUN, '--store', 'slots.db', '--', 'true'], 'does not begin with the kind of store'],
    [['status', '--quiet'], 'There is no option "--quiet"'],
    [['queue'], '--repository is missing'],
    [['queue', 'acme/api'], '"acme/api" is no option. Everything is said by options'],
    [['queue', '--repository', 'acme/api', '--first', '0'], '--first is "0"'],
    [['queue', '--repository', 'acme/api', '--', 'ls'], 'queue runs no command'],
    [['restored'], 'names no store in etcd'],
    [['explain', '--repository', 'acme/api'], '--run is missing'],
    [['watch', '--first', '1'], 'There is no option "--first"'],
    [['release', '--repository', 'acme/api', '--run', 'a/b'], '--reason is missing'],
    [['pause', '--repository', 'acme/api', '--yes'], '--reason is missing'],
    [['drain', '--repository', 'acme/api', '--yes'], '--reason is missing'],
    [['pause', '--repository', 'acme/api', '--reason', ' '], '--reason is empty'],
    [['drain', '--repository', 'acme', '--reason', 'x'], 'repository "acme" is not a key'],
    [['resume', '--repository', 'acme/api', '--actor', 'é'.repeat(300)], '--actor has 600 bytes'],
    [['limit', 'set', '--repository', 'acme/api'], '--limit is missing'],
    [['limit', 'set', '--repository', 'acme/api', '--limit', '-1'], '--limit is "-1"'],
    [['limit', 'put', '--repository', 'acme/api'], '"put" is no option'],
  ]
  const ends = await Promise.all(wrong.map(([args]) => scene.finish(args)))
  for (const [index, { code, stdout, stderr }] of ends.entries()) {
    expect(stderr).toContain(`slotkeeper: `)
    expect(stderr).toContain(wrong[index]?.[1])
    expect(stderr).toMatch(/^Try: slotkeeper ([a-z]+ )?--help$/m)
    expect(stderr).not.toContain('    at ')
    expect({ code, stdout }).toEqual({ code: 125, stdout: '' })
  }
  expect(existsSync(`${scene.directory}/slots.db`)).toBe(false)
})

test.concurrent('a password in what names a store is never repeated', async ({ scene }) => {
  const canary = 'c4n4ry'
  const wrong = [
    [...RUN, '--store', `postgres://user:${canary}@db/slots?sslmode=x`, '--', 'true'],
    [...RUN, '--store', `postgres://user:${canary}/@db/slots`, '--', 'true'],
    [...RUN, '--store', `psotgres://user:${canary}@db/slots`, '--', 'true'],
    [...RUN, '--store', `user:${canary}@db`, '--', 'true'],
    [...RUN, '--store', `sqlite://user:${canary}@db/slots`, '--', 'true'],
    [...RUN, `--sotre=postgres://user:${canary}@db/slots`, '--', 'true'],
    [...RUN, `postgres://user:${canary}@db/slots`, '--', 'true'],
    [...RUN, '--wait', `postgres://user:${canary}@db/slots`, '--', 'true'],
    [...RUN, '--run', `postgres://user:${canary}@db/slots`, '--', 'true'],
    [`postgres://user:${canary}@db/slots`],
    ['status', `--store=etcd://user:${canary}@db:x`],
    ['status', `--store=etcd://user:${canary}/@db`],
    ['status', `--store=etcd://user:${canary}@db/slots?password=${canary}`],
  ]
  for (const { code, stdout, stderr } of await Promise.all(
    wrong.map((args) => scene.finish(args, { SLOTKEEPER_DEBUG: '1' })),
  )) {
    expect(code).toBe(125)
    expect(stdout + stderr).not.toContain(canary)
  }
  const inEnvironment = await scene.finish([...RUN, '--', 'true'], {
    SLOTKEEPER_STORE: `postgres://u:${canary}@db/slots?ssl=1`,
  })
  expect(inEnvironment.code).toBe(125)
  expect(inEnvironment.stderr).not.toContain(canary)
})

test.concurrent('every verb explains itself, with its exit codes and examples', async ({ scene }) => {
  const verbs = 'run status queue explain watch release pause resume drain limit restored'.split(' ')
  const asked = [['--help'], ['help'], ['limit', 'set', '-h'], ...verbs.map((verb) => [verb, '--help'])]
  for (const args of asked) {
    const { code, stdout, stderr } = await scene.finish(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('Usage: slotkeeper')
    expect(stdout).toContain('Examples:')
  }
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  expect((await scene.finish(['--version'])).stdout).toBe(`${version}\n`)
})

test.concurrent('a Node.js older than 22.14 is refused in one sentence, before anything modern is read', async () => {
  for (const [version, code] of [
    ['12.22.12', 125],
    ['20.20.2', 125],
    ['22.13.1', 125],
    ['22.14.0', 0],
    ['26.0.0', 0],
  ] as const) {
    const disguise = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'${version}'})`
    const old = new Running(spawn(process.execPath, ['--import', disguise, BIN, '--version']))
    const ended = await old.ended
    expect(ended.code).toBe(code)
    if (code === 125)
      expect(ended.stderr).toMatch(
        /^slotkeeper: this is Node\.js [\d.]+, and slotkeeper needs Node\.js 22\.14 or newer.*\.\n$/,
      )
  }
})

test.concurrent('what old ones have to read is there, executable, and imports nothing at once', async () => {
  const main = readFileSync(BIN, 'utf8')
  expect(main.startsWith('#!/usr/bin/env node\n')).toBe(true)
  expect(main).not.toMatch(/^\s*(import|export)[\s{"']/m)
  expect(main).not.toMatch(/\?\?|\?\.\w|\bawait\b/)
  expect((await new Running(spawn(BIN, ['--version'])).ended).code).toBe(0)
})
