import { setTimeout as sleep } from 'node:timers/promises'
import { Manager, repository } from '@slotkeeper/core'
import type { AcquireCommand, Command, Driver, HolderId, RunRow, StoreEvent } from '@slotkeeper/core/driver'
import { beforeAll, describe, expect, test } from 'vitest'
import { lockSeedOf } from '../src/sql-names.ts'
import { type Message, throughProxy } from './support/proxy.ts'
import { newDatabase, newName, onEachServer, sql } from './support/servers.ts'
import {
  acquire,
  ask,
  batchOf,
  connect,
  decide,
  driverOf,
  grantOf,
  openDriver,
  openHolder,
  REPO,
  release,
} from './support/store.ts'

onEachServer((server) => {
  let connectionString = ''
  beforeAll(async () => {
    connectionString = await newDatabase(server.url)
  })

  describe('what is simple', () => {
    test('is decided in one round trip: a slot where there is room, and its return where nobody waits', async () => {
      const proxy = await throughProxy(connectionString)
      const driver = await openDriver({ connectionString: proxy.url, schema: newName('s') })
      const holder = await openHolder(driver)
      const first = await grantOf(driver, 'acme/first', holder)
      await ask(driver, holder, [release(first)])
      const before = proxy.roundTrips()
      const second = await grantOf(driver, 'acme/second', holder)
      await ask(driver, holder, [release(second)])
      expect(proxy.roundTrips() - before).toBe(2)
      expect(second.token).toBeGreaterThan(first.token)
    })

    test.each([
      [7, 1],
      [40, 2],
    ])(
      'of %i repositories in one call is %i round trips, which are under way together',
      async (count, flights) => {
        const proxy = await throughProxy(connectionString)
        const driver = await openDriver({ connectionString: proxy.url, schema: newName('s') })
        const holder = await openHolder(driver)
        const round = async (name: string) => {
          const batches = Array.from({ length: count }, (_, n) =>
            batchOf(
              [acquire(`acme/${name}`, holder, { repository: `acme/repo-${n}`, proposal: { limit: 9 } })],
              holder,
            ),
          )
          await driver.transact(batches, decide)
          return batches.map(({ commands, error }) => error ?? commands[0]?.outcome?.kind)
        }
        await round('first')
        const before = proxy.roundTrips()
        expect(new Set(await round('second'))).toEqual(new Set(['granted']))
        expect(proxy.roundTrips() - before).toBe(flights)
      },
    )

    /** Repositories, as they are before the command that is compared. */
    const situations: Record<
      string,
      (driver: Driver, holder: HolderId) => Promise<Partial<AcquireCommand> | undefined>
    > = {
      'an unlimited repository': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder, { proposal: { limit: 0 } })
        return { proposal: { limit: 0 } }
      },
      'a limit that is full': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder, { proposal: { limit: 1 } })
        return { proposal: { limit: 1 } }
      },
      'the 33rd slot, with a gap before it': async (driver, holder) => {
        for (let n = 0; n < 33; n++) await grantOf(driver, `acme/${n}`, holder, { proposal: { limit: 90 } })
        const { runs } = await driver.read({ kind: 'runs', runs: [{ repository: REPO, run: 'acme/31' }] })
        await ask(driver, holder, [release(runs[0] as RunRow)])
        return { proposal: { limit: 90 } }
      },
      'the 64th slot': async (driver, holder) => {
        for (let n = 0; n < 63; n++) await grantOf(driver, `acme/${n}`, holder, { proposal: { limit: 90 } })
        return { proposal: { limit: 90 } }
      },
      'everything that a request may say': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder, { proposal: { limit: 5 } })
        return {
          ...{
            proposal: { limit: 5 },
            mode: 'try',
            runUid: 'uid-1',
            durable: true,
            priority: -2.5,
            maxHoldMs: 5000.5,
          },
          meta: { 'ключ"': '\u0000 \\ \ud83d\ude00', z: '1', a: '2' },
        }
      },
      'another limit than before': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder, { proposal: { limit: 1 } })
        return { proposal: { limit: 2 } }
      },
      'a command that comes too late': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder, { proposal: { limit: 5 } })
        return { proposal: { limit: 5 }, validUntil: 1 }
      },
      'a run that has a record': async (driver, holder) => {
        const row = await grantOf(driver, 'acme/compared', holder, { proposal: { limit: 5 } })
        await ask(driver, holder, [release(row)])
        return { proposal: { limit: 5 } }
      },
      'a paused repository': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder, { proposal: { limit: 5 } })
        const command = { kind: 'repository-state', state: 'paused', repository: REPO, ticket: 'p' } as const
        await ask(driver, undefined, [{ ...command, outcome: undefined }])
        return { proposal: { limit: 5 } }
      },
      'a slot of a dead holder': async (driver, holder) => {
        const dead = await openHolder(driver)
        await grantOf(driver, 'acme/before', dead, { proposal: { limit: 1 } })
        await driver.closeHolder(dead)
        return { proposal: { limit: 1 }, holder }
      },
      'a slot that was held long enough': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder, { proposal: { limit: 1 }, maxHoldMs: 1 })
        await sleep(5) // the server's own clock has to pass it
        return { proposal: { limit: 1 } }
      },
      'one that was held long enough, with room beside it': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder, { proposal: { limit: 2 }, maxHoldMs: 1 })
        await sleep(5) // the server's own clock has to pass it
        return { proposal: { limit: 2 } }
      },
      'a holder that is dead': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder, { proposal: { limit: 5 } })
        const dead = await openHolder(driver)
        await driver.closeHolder(dead)
        return { proposal: { limit: 5 }, holder: dead }
      },
      'somebody who waits': async (driver, holder) => {
        await grantOf(driver, 'acme/before', holder)
        await ask(driver, holder, [acquire('acme/waits', holder)])
        return {}
      },
    }
    for (const [what, prepare] of Object.entries(situations))
      test(`leads to what the policy leads to: ${what}`, async () => {
        const seen = []
        for (const way of ['alone', 'beside another', 'the long way'] as const) {
          const schema = newName('s')
          // The one that writes a history decides everything the long way.
          const driver = await openDriver({ connectionString, schema, history: way === 'the long way' })
          const holder = await openHolder(driver)
          // It knows from its first release how long the policy keeps records.
          const elsewhere = { repository: 'acme/elsewhere' } as const
          await ask(driver, holder, [release(await grantOf(driver, 'acme/elsewhere', holder, elsewhere))])
          const more = await prepare(await openDriver({ connectionString, schema }), holder)
          const command = acquire('acme/compared', holder, { ...more, ticket: 'compared.1' })
          const beside = acquire('acme/beside', command.holder, elsewhere)
          const events: StoreEvent[] = []
          const decideBoth = async (one: Command, other: Command) => {
            const batches = (way === 'beside another' ? [one, other] : [one]).map((each) =>
              batchOf([each], command.holder),
            )
            await driver.transact(batches, decide)
            expect(batches.map(({ error }) => error)).toEqual(batches.map(() => undefined))
            events.push(...(batches[0]?.events ?? []))
          }
          const rows = (table: string) =>
            sql(
              connectionString,
              `SELECT * FROM ${schema}.${table} WHERE repository_key = '${REPO}' ORDER BY 2`,
            )
          await decideBoth(command, beside)
          const taken = [await rows('concurrency_slots'), await rows('repository_states')]
          const outcome = command.outcome?.kind
          if (command.outcome?.kind === 'granted') {
            const back = { ...release(command.outcome.row), ticket: 'compared.2', state: 'failed' as const }
            const other = beside.outcome?.kind === 'granted' ? release(beside.outcome.row) : beside
            await decideBoth(back, other)
          }
          const given = [await rows('concurrency_slots'), await rows('repository_states')]
          seen.push(comparable({ outcome, events, taken, given }))
        }
        expect(seen[0]).toEqual(seen[2])
        expect(seen[1]).toEqual(seen[2])
      })
  })

  test('a commit whose answer was lost is found out by asking again: granted once', async () => {
    let isArmed = false
    const proxy = await throughProxy(connectionString, ({ letter, text }: Message) => {
      if (!isArmed || letter !== 'B' || !/slotkeeper_(commit|(take|giveBack)AtOnce)_/.test(text))
        return 'pass'
      isArmed = false
      return 'cut after'
    })
    const schema = newName('s')
    await using manager = new Manager({
      driver: driverOf({ connectionString: proxy.url, schema }),
      label: 'cut',
    })
    const repo = repository('acme/api', { concurrencyLimit: 1 })
    // Both the short way and the long one.
    for (const n of [1, 2, 3]) {
      isArmed = true
      const outcome = await manager.acquireSlot({ repository: repo, run: `acme/${n}` })
      expect(outcome.kind).toBe('granted')
      expect(isArmed).toBe(false)
      if (outcome.kind !== 'granted') return
      isArmed = true
      expect(await outcome.slot.release()).toMatchObject({ kind: 'released' })
    }
    const driver = await openDriver({ connectionString, schema })
    const { repositories } = await driver.read({ kind: 'repositories', after: '', first: 9 })
    expect(repositories.map(({ live, waiting, lastSequence }) => [live, waiting, lastSequence])).toEqual([
      [0, 0, 3],
    ])
  })

  test('a domain that somebody else keeps locked holds up no other, and its caller is told', async () => {
    const schema = newName('s')
    const driver = await openDriver({ connectionString, schema, lockTimeoutMs: 200 })
    const holder = await openHolder(driver)
    // From now on it would be decided at once.
    await ask(driver, holder, [release(await grantOf(driver, 'acme/before', holder))])
    const paused = await connect(connectionString)
    await paused.query('BEGIN')
    await paused.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [REPO, lockSeedOf(schema)])
    const batches = [REPO, 'acme/free' as const].map((repository) =>
      batchOf([acquire('acme/a', holder, { repository })], holder),
    )
    await driver.transact(batches, decide)
    expect(batches.map(({ error, commands }) => error?.code ?? commands[0]?.outcome?.kind)).toEqual([
      'SLOTKEEPER_STORE_BUSY',
      'granted',
    ])
    await paused.query('ROLLBACK')
    await ask(driver, holder, [acquire('acme/a', holder)])
  })

  test('with the history option every event is in the transaction that it tells of, and none without', async () => {
    for (const history of [true, false]) {
      const schema = newName('s')
      const driver = await openDriver({ connectionString, schema, history })
      const holder = await openHolder(driver)
      const row = await grantOf(driver, 'acme/a', holder)
      await ask(driver, holder, [acquire('acme/b', holder)])
      await ask(driver, holder, [release(row)])
      const events = await sql(
        connectionString,
        `SELECT e.kind, e.pipeline_run_key AS run, e.xmin = s.xmin AS together FROM ${schema}.slot_events e
         JOIN ${schema}.concurrency_slots s USING (repository_key, pipeline_run_key) ORDER BY position`,
      )
      const told = events.map(({ kind, run, together }) => [kind, run, together])
      // A row is of its last transaction: it has left the ones before.
      const expected = [
        ['granted', 'acme/a', false],
        ['enqueued', 'acme/b', false],
        ['released', 'acme/a', true],
        ['granted', 'acme/b', true],
      ]
      expect(told).toEqual(history ? expected : [])
    }
  })

  test('a decision among those who wait is two round trips', async () => {
    const proxy = await throughProxy(connectionString)
    const driver = await openDriver({ connectionString: proxy.url, schema: newName('s') })
    const holder = await openHolder(driver)
    let row = await grantOf(driver, 'acme/0', holder)
    for (const next of ['acme/1', 'acme/2', 'acme/3'] as const) {
      await ask(driver, holder, [acquire(next, holder)])
      const before = proxy.roundTrips()
      const { decision } = await ask(driver, holder, [release(row)])
      expect(proxy.roundTrips() - before).toBe(2)
      row = decision?.granted[0] as typeof row
      expect(row.run).toBe(next)
    }
  })

  test('what the server refuses for a deadlock or a conflict is decided again', async () => {
    for (const state of ['40P01', '40001']) {
      const schema = newName('s')
      const driver = await openDriver({ connectionString, schema })
      const holder = await openHolder(driver)
      const row = await grantOf(driver, 'acme/a', holder)
      await ask(driver, holder, [acquire('acme/b', holder)])
      // Twice, as the server would say it: sequences count what is rolled back as well.
      await sql(
        connectionString,
        `CREATE SEQUENCE ${schema}.refused;
         CREATE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF nextval('${schema}.refused') <= 2 THEN RAISE EXCEPTION 'refused' USING ERRCODE = '${state}'; END IF;
           RETURN NEW; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON ${schema}.repository_states FOR EACH ROW EXECUTE FUNCTION ${schema}.refuse()`,
      )
      const { decision } = await ask(driver, holder, [release(row)])
      expect(decision?.granted.map(({ run }) => run)).toEqual(['acme/b'])
      const [refused] = await sql(connectionString, `SELECT last_value::int AS times FROM ${schema}.refused`)
      expect(refused?.times).toBeGreaterThan(2)
    }
  })
})

/** Without what differs from one time to the next. */
function comparable(found: object): unknown {
  const text = JSON.stringify(found, (name, value) => {
    if (/^(holder|granted_to|created_at|at|last_number)$/.test(name)) return value === null ? null : 'some'
    if (/ticket|ended_by/.test(name)) return /compared/.test(String(value)) ? value : value && 'some'
    if (/token/.test(name)) return Number(value) > 0 ? 'some' : value
    if (/(_at|_until)$/.test(name) && value !== null) return 'some'
    return value
  })
  return JSON.parse(text)
}
