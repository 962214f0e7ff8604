import { setTimeout as sleep } from 'node:timers/promises'
import type { WatchEvent } from '@slotkeeper/core/driver'
import { expect, test } from 'vitest'
import { newDatabase, newName, onEachServer, sql } from './support/servers.ts'
import { ask, connect, grantOf, openDriver, openHolder, REPO, release } from './support/store.ts'

const watch = { kind: 'watch', repository: REPO, ticket: 'w', forMs: 600_000, outcome: undefined } as const

/** Asks again until it is so; the test's own time limit is the limit. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10)
}

onEachServer((server) => {
  const newStore = async () => {
    const store = { connectionString: await newDatabase(server.url), schema: newName('s') }
    const count = async () => {
      const [row] = await sql(
        store.connectionString,
        `SELECT count(*)::int AS hints FROM ${store.schema}.hints`,
      )
      return row?.hints
    }
    return { store, count }
  }

  test('hints are written while somebody looks and for nobody else, and are forgotten a minute later', async () => {
    const { store, count } = await newStore()
    const driver = await openDriver(store)
    const holder = await openHolder(driver)
    await ask(driver, undefined, [{ ...watch }])
    await ask(driver, holder, [release(await grantOf(driver, 'acme/unseen', holder))])
    expect(await count()).toBe(0)

    const looking = await openDriver({ ...store, listen: false })
    const controller = new AbortController()
    const heard: WatchEvent[] = []
    const reading = (async () => {
      for await (const hint of looking.watch({ wants: () => true, signal: controller.signal }))
        heard.push(hint)
    })()
    await until(() => heard.length > 0)
    await ask(driver, holder, [release(await grantOf(driver, 'acme/seen', holder))])
    expect(await count()).toBe(2)
    await until(
      () => heard.filter((hint) => hint.kind === 'event' && hint.event.run === 'acme/seen').length >= 2,
    )
    controller.abort()
    await reading

    await driver.sweep(10)
    expect(await count()).toBe(2)
    await sql(store.connectionString, `UPDATE ${store.schema}.hints SET at = at - 60001`)
    await driver.sweep(10)
    expect(await count()).toBe(0)
  })

  test('a hint whose transaction ends late is not missed by those who looked meanwhile', async () => {
    const { store } = await newStore()
    const looking = await openDriver({ ...store, listen: false })
    const controller = new AbortController()
    const heard: WatchEvent[] = []
    const reading = (async () => {
      for await (const hint of looking.watch({ wants: () => true, signal: controller.signal }))
        heard.push(hint)
    })()
    await until(() => heard.length > 0)
    const said = (run: string) =>
      `INSERT INTO ${store.schema}.hints (at, payload) VALUES (extract(epoch FROM clock_timestamp()) * 1000,
        '{"origin":"elsewhere","events":[{"kind":"granted","repository":"${REPO}","run":"${run}"}]}')`
    const late = await connect(store.connectionString)
    await late.query(`BEGIN; ${said('acme/late')}`)
    await sql(store.connectionString, said('acme/early'))
    const has = (run: string) => heard.some((hint) => hint.kind === 'event' && hint.event.run === run)
    await until(() => has('acme/early'))
    expect(has('acme/late')).toBe(false)
    await late.query('COMMIT')
    await until(() => has('acme/late'))
    controller.abort()
    await reading
  })
})
