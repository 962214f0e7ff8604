import type { Manager } from '@slotkeeper/core'
import type { Driver, HolderId } from '@slotkeeper/core/driver'
import { expect, test, vi } from 'vitest'
import { raiseTokenFloor } from '../src/index.ts'
import { ownCluster, userOf } from './support/cluster.ts'
import { acquire, decideFor } from './support/commands.ts'
import { driverOf, granted, managerOf, repo, until } from './support/store.ts'

vi.setConfig({ testTimeout: 120_000 })

/** The tokens of slots that are taken and given back, one after the other. */
async function tokensOf(manager: Manager, name: string, count: number): Promise<bigint[]> {
  const tokens: bigint[] = []
  for (let n = 0; n < count; n++) {
    const slot = await granted(manager, `acme/${name}-${n}`)
    tokens.push(slot.fencingToken)
    await slot.release()
  }
  return tokens
}

test('after a restore tokens are granted a second time, unless it was said that the store was restored; then never', async () => {
  const { endpoints, members } = await ownCluster({ fsync: true })
  const member = members[0] as (typeof members)[0]
  const before = managerOf({ endpoints })
  await tokensOf(before, 'before', 3)
  const backup = await member.backUp()
  const unknown = await tokensOf(before, 'unknown', 20)
  await before.close()

  await member.restore(backup)
  const careless = managerOf({ endpoints })
  const again = await tokensOf(careless, 'careless', 20)
  expect(
    again.filter((token) => unknown.includes(token)),
    'what the operator has to know',
  ).not.toEqual([])
  await careless.close()

  await member.restore(backup)
  const floor = await raiseTokenFloor({ endpoints })
  const careful = managerOf({ endpoints })
  const later = await tokensOf(careful, 'careful', 20)
  expect([...unknown, ...again].every((token) => token < floor)).toBe(true)
  expect(later.every((token) => token > floor)).toBe(true)
})

test('Managers that are there while a backup comes back give up what it does not know, and go on above the tokens of before', async () => {
  const { endpoints, members } = await ownCluster({ fsync: true })
  const member = members[0] as (typeof members)[0]
  const [a, b] = [
    managerOf({ endpoints }, { holderTtlMs: 3000 }),
    managerOf({ endpoints }, { holderTtlMs: 3000 }),
  ]
  const early = await granted(a, 'acme/early', 2)
  await early.release()
  const backup = await member.backUp()
  await tokensOf(a, 'unknown', 50)
  const unknown = await granted(a, 'acme/unknown', 2)
  const waiting = b.waitForSlot({ repository: repo(1), run: 'acme/waits' })
  await until('it waits', async () => (await a.getCurrentSlots('acme/api')).waiting === 1)
  await member.restore(backup)
  await raiseTokenFloor({ endpoints })
  await until('who holds what the backup does not know learns of it', () => !unknown.isHeld)
  const slot = await waiting
  expect(slot.fencingToken).toBeGreaterThan(unknown.fencingToken)
  expect(slot.isHeld).toBe(true)
})

const look = (driver: Driver) => driver.read({ kind: 'repositories', after: '', first: 1 })
/** What a process may do between the restore and its next decision, and whether an operator says that there was one. */
const AFTER: readonly [string, (driver: Driver) => unknown, boolean][] = [
  ['looks at the store first', look, true],
  ['looks first, though nobody says what was done', look, false],
  ['decides at once', () => undefined, true],
]
for (const [what, does, isSaid] of AFTER)
  test(`what is remembered is not trusted once a backup is back, although its revision comes again: a process that ${what}`, async () => {
    const { endpoints, members } = await ownCluster({ fsync: true })
    const member = members[0] as (typeof members)[0]
    // Drivers whose holders others have opened write nothing by themselves, so that revisions can be told in advance.
    const [opener, a, b] = [driverOf({ endpoints }), driverOf({ endpoints }), driverOf({ endpoints })]
    for (const driver of [opener, a, b]) await driver.open({ schema: 'migrate' })
    const [ofA, ofB] = ['a', 'b'] as [HolderId, HolderId]
    for (const holder of [ofA, ofB]) await opener.openHolder(holder, 600_000)
    await opener.close()
    const client = userOf(endpoints)
    const key = Buffer.from('/slotkeeper/domain/acme/api')
    const found = async () => (await client.kv.range({ key })).kvs[0]
    const write = async (name: Buffer, value: Buffer | string) =>
      Number((await client.kv.put({ key: name, value: Buffer.from(value) })).header.revision)
    const backup = await member.backUp()
    await decideFor(a, [acquire(ofA, { run: 'acme/unknown', limit: 2 })])
    for (let n = 0; n < 30; n++) await write(Buffer.from('/other'), String(n))
    await decideFor(a, [acquire(ofA, { run: 'acme/unknown-too', limit: 3 })])
    const remembered = Number((await found())?.mod_revision)

    await member.restore(backup)
    if (isSaid) await until('it is said', async () => (await raiseTokenFloor({ endpoints })) > 0n)
    await until('it answers', async () => (await does(a)) !== null)
    const others = ['acme/b-1', 'acme/b-2', 'acme/b-3'] as const
    await until('all is taken by somebody else', async () => {
      await decideFor(
        b,
        others.map((run) => acquire(ofB, { run, limit: 3 })),
      )
      return true
    })
    let revision = 0
    while (revision < remembered - 1) revision = await write(Buffer.from('/other'), 'x')
    const { value } = (await found()) as { value: Buffer }
    expect(await write(key, value), 'the revision that is remembered').toBe(remembered)

    const late = acquire(ofA, { run: 'acme/late', limit: 3 })
    await until('it has been decided', async () => {
      await decideFor(a, [late])
      return true
    })
    expect(late.outcome).toMatchObject({ kind: 'waiting' })
    const { runs } = await b.read({ kind: 'holder', holder: ofB })
    expect(runs.map(({ run, phase }) => [run, phase])).toEqual(others.map((run) => [run, 'running']))
  })
