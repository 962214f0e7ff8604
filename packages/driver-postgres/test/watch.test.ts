import { setTimeout as sleep } from 'node:timers/promises'
import { Manager, repository } from '@slotkeeper/core'
import type { Logger, WatchEvent } from '@slotkeeper/core/driver'
import { beforeAll, expect, test } from 'vitest'
import { channelOf } from '../src/sql-names.ts'
import { newDatabase, newName, onEachServer, sql } from './support/servers.ts'
import {
  acquire,
  ask,
  connect,
  driverOf,
  grantOf,
  openDriver,
  openHolder,
  REPO,
  release,
} from './support/store.ts'

/** Asks again until it is so; the test's own time limit is the limit. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10)
}

function hear(hints: AsyncIterable<WatchEvent>): { readonly heard: WatchEvent[] } {
  const heard: WatchEvent[] = []
  void (async () => {
    for await (const hint of hints) heard.push(hint)
  })()
  return { heard }
}

/** Notes the level and the event of every word. */
function writingTo(words: string[]): Logger {
  const at = (level: string) => (fields: object) => {
    words.push(`${level} ${(fields as { readonly event?: string }).event}`)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

onEachServer((server) => {
  let connectionString = ''
  beforeAll(async () => {
    connectionString = await newDatabase(server.url)
  })
  const listeners = async (): Promise<number[]> => {
    const rows = await sql(
      connectionString,
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_backend_pid()%'`,
    )
    return rows.map(({ pid }) => Number(pid))
  }

  test('one connection listens, however many watch, and none when nobody does', async () => {
    const driver = await openDriver({ connectionString, schema: newName('s') })
    const before = (await listeners()).length
    const controller = new AbortController()
    const watches = Array.from({ length: 5 }, () =>
      hear(driver.watch({ wants: () => true, signal: controller.signal })),
    )
    await until(() => watches.every(({ heard }) => heard.length > 0))
    expect((await listeners()).length - before).toBe(1)
    controller.abort()
    await until(async () => (await listeners()).length === before)
  })

  test('a listener whose connection is ended comes back by itself, says so, and hears again', async () => {
    const schema = newName('s')
    const words: string[] = []
    const driver = driverOf({ connectionString, schema })
    await driver.open({ schema: 'migrate', logger: writingTo(words) })
    const other = await openDriver({ connectionString, schema })
    const controller = new AbortController()
    const { heard } = hear(driver.watch({ wants: () => true, signal: controller.signal }))
    await until(() => heard.length > 0)
    const watch = {
      kind: 'watch',
      repository: REPO,
      ticket: 'w',
      forMs: 600_000,
      outcome: undefined,
    } as const
    await ask(other, undefined, [{ ...watch }])
    for (const pid of await listeners()) await sql(connectionString, `SELECT pg_terminate_backend(${pid})`)
    await until(() => heard.filter(({ kind }) => kind === 'resync').length > 1)
    const holder = await openHolder(other)
    const row = await grantOf(other, 'acme/after', holder)
    await until(() => heard.some((hint) => hint.kind === 'event' && hint.event.run === row.run))
    expect(words).toEqual(['warn notifications-lost', 'info notifications-back'])
    controller.abort()
  })

  test('a commit that nobody else waits for or watches notifies nobody', async () => {
    const schema = newName('s')
    const driver = await openDriver({ connectionString, schema })
    const stranger = await connect(connectionString)
    const told: string[] = []
    stranger.on('notification', ({ payload = '' }) => told.push(payload))
    await stranger.query(`LISTEN ${channelOf(schema)}`)
    const holder = await openHolder(driver)
    const row = await grantOf(driver, 'acme/a', holder)
    await ask(driver, holder, [acquire('acme/b', holder)])
    await ask(driver, holder, [release(row)])
    await stranger.query('SELECT 1')
    expect(told).toEqual([])
    // The other way round: one that somebody else waits for does, in one notification.
    const theirs = await openHolder(driver)
    await ask(driver, theirs, [acquire('acme/c', theirs)])
    const { runs } = await driver.read({ kind: 'holder', holder })
    await ask(driver, holder, runs.map(release))
    await until(async () => {
      await stranger.query('SELECT 1')
      return told.length > 0
    })
    expect(told.length).toBe(1)
    expect(told[0]).toContain('acme/c')
  })

  test('what is no word of a driver makes watchers look, and breaks nothing', async () => {
    const schema = newName('s')
    const driver = await openDriver({ connectionString, schema })
    const controller = new AbortController()
    const { heard } = hear(driver.watch({ wants: () => true, signal: controller.signal }))
    await until(() => heard.length > 0)
    for (const payload of ['', '{', '{"events":7}', 'null', '[]', '{"events":[null]}'])
      await sql(connectionString, `SELECT pg_notify('${channelOf(schema)}', '${payload}')`)
    await until(() => heard.length >= 7)
    expect(heard.every(({ kind }) => kind === 'resync')).toBe(true)
    controller.abort()
  })

  test('waiters get their slots although all connections are ended again and again', async () => {
    const schema = newName('s')
    await openDriver({ connectionString, schema })
    const managers = [1, 2].map(
      (n) => new Manager({ driver: driverOf({ connectionString, schema }), label: `m${n}` }),
    )
    const repo = repository('acme/api', { concurrencyLimit: 1 })
    let isOver = false
    const ending = (async () => {
      while (!isOver) {
        await sql(
          connectionString,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'slotkeeper'`,
        )
        await sleep(200)
      }
    })()
    let running = 0
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        (managers[n % 2] as Manager).withSlot(
          { repository: repo, run: `acme/${n}`, timeoutMs: 60_000 },
          async () => {
            expect(++running).toBe(1)
            await sleep(5)
            running--
          },
        ),
      ),
    )
    isOver = true
    await ending
    for (const manager of managers) await manager.close()
  }, 90_000)
})
