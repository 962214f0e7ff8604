import type pg from 'pg'
import { expect, test } from 'vitest'
import { type Statement, statementsOf } from '../src/statements.ts'
import { newDatabase, newName, onEachServer, sql } from './support/servers.ts'
import { acquire, ask, connect, grantOf, openDriver, openHolder, REPO } from './support/store.ts'

/** How many blocks a statement may touch, however long the queue is: a few for each row that it gives. */
const MOST_BLOCKS = 400

/** Whoever lists a repository asks for each of them. */
const HOLDERS = 1000

const ROW = {
  ...{
    repository_key: REPO,
    domain: REPO,
    status: 'present',
    state: 'active',
    removed_uids: '[]',
    numbers: [1],
  },
  ...{ last_token: 1, last_sequence: 1, live: 1, reserved: 0, orphaned: 0, waiting: 1, parked: 0 },
  ...{ committed_at: 0, quiet_until: 'Infinity' },
}

/** Statements that run while somebody waits for their answer, with what they are asked in a repository whose queue is long. */
function hot(holder: string): Readonly<Record<string, readonly (string | number)[]>> {
  const named = JSON.stringify([{ repository: REPO, run: 'acme/waits-500' }])
  return {
    loadDomains: [`{${REPO}}`],
    loadRuns: [`{${REPO}}`, '{acme/waits-500}'],
    loadHeads: [`{${REPO}}`, '{20}'],
    loadHolders: [`{${holder}}`],
    loadOverdue: [`{${REPO}}`, '{20}', Date.now(), Date.now(), 2000],
    claimDomains: [10, 1000],
    forgetRecords: [500],
    forgetHolders: [100],
    buryOverdue: [100],
    heartbeat: [holder],
    readRuns: [named],
    readRepositories: ['', 10],
    readRepository: [REPO, 10, 10, 'acme/waits-500', 1000],
    mustNotBePinned: [named],
    dropRuns: [named],
    bump: [JSON.stringify([holder, holder])],
    holdersGain: [JSON.stringify([holder]), 1],
    holdersLose: [JSON.stringify([holder]), JSON.stringify([holder]), 1, '[]', 0, 0],
    bury: [JSON.stringify([holder])],
    closeHolder: [holder],
    saveRepositories: [JSON.stringify([ROW])],
    dropRepositories: [JSON.stringify(['acme/repo-1'])],
    dropDomains: [JSON.stringify(['acme/repo-1'])],
    look: [0],
    forgetHints: [10],
  }
}

onEachServer((server) => {
  const rows = server.version === '18' ? 1_000_000 : 20_000

  test(`no statement reads a queue of ${rows} rows, nor does one that was prepared while the tables were empty`, async () => {
    const connectionString = await newDatabase(server.url)
    const schema = newName('s')
    const statements = statementsOf(schema)
    const driver = await openDriver({ connectionString, schema })
    const early = await planner(connectionString, statements)
    for (const [name, { text }] of Object.entries(statements))
      if (isPlanned(text)) await early.query(`EXPLAIN EXECUTE ${name}${madeUp(text)}`)

    const holder = await openHolder(driver, 3_600_000)
    await grantOf(driver, 'acme/holds', holder)
    await ask(driver, holder, [acquire('acme/waits', holder)])
    // Of a few vacuumed rows in one page the planner expects every index to cost the same.
    await sql(connectionString, 'VACUUM ANALYZE')
    const afterFew = await planner(connectionString, statements)
    for (const [name, { text }] of Object.entries(statements))
      if (isPlanned(text)) await afterFew.query(`EXPLAIN EXECUTE ${name}${madeUp(text)}`)
    await sql(
      connectionString,
      `INSERT INTO ${schema}.concurrency_slots (repository_key, pipeline_run_key, phase, state, holder, priority, sequence, token, number,
           ticket, durable, max_hold_ms, claim_timeout_ms, lease_ttl_ms, parks, queued_at)
         SELECT '${REPO}', 'acme/waits-' || n, 'waiting', 'queued', '${holder}', 0, 100 + n, 0, 0, 't.' || n, false, 0, 0, 0, 0, 0
         FROM generate_series(1, ${rows}) n;
         UPDATE ${schema}.repository_states SET waiting = waiting + ${rows}, last_sequence = ${rows + 200};
         INSERT INTO ${schema}.repository_states (repository_key, domain, status, state, removed_uids, last_token, last_sequence, live,
           reserved, orphaned, waiting, parked, numbers, committed_at)
         SELECT 'acme/repo-' || n, 'acme/repo-' || n, 'present', 'active', '[]', 1, 1, 0, 0, 0, 0, 0, '{0}', 0 FROM generate_series(1, 20000) n;
         INSERT INTO ${schema}.holders (holder, ttl_ms, expires_at) SELECT 'h-' || n, 30000, 1e15 FROM generate_series(1, ${HOLDERS}) n;
         INSERT INTO ${schema}.domains (domain, watched_until, backlog, swept_until)
         SELECT 'acme/repo-' || n, 0, false, 0 FROM generate_series(1, 20000) n`,
    )
    const late = await planner(connectionString, statements)
    const bad: string[] = []
    for (const [when, client] of Object.entries({
      'while the tables were empty': early,
      'while there were a few rows': afterFew,
      'when they were full': late,
    }))
      for (const [name, values] of Object.entries(hot(holder))) {
        const plan = await explained(client, name, values)
        if (
          /Seq Scan on (concurrency_slots|repository_states|holders|domains)/.test(plan) ||
          blocksOf(plan) >= MOST_BLOCKS + (name === 'readRepository' ? 3 * HOLDERS : 0)
        )
          bad.push(`${name}, prepared ${when}:\n${plan}`)
      }
    expect(bad.join('\n\n')).toBe('')
  }, 240_000)

  test(`nor does what is decided at once beside ${rows} rows, planned while the tables were all but empty or afterwards`, async () => {
    const connectionString = await newDatabase(server.url)
    const schema = newName('s')
    const statements = statementsOf(schema)
    const driver = await openDriver({ connectionString, schema })
    const holder = await openHolder(driver, 3_600_000)
    const { token } = await grantOf(driver, 'acme/holds', holder, { proposal: { limit: 9 } })
    const dead = await openHolder(driver)
    await driver.closeHolder(dead) // it has nothing here, and that has to be looked up
    const taking = [REPO, 'acme/new', '{"limit":9}', 9, 0, null, 't', false, 0, null, 0, 60_000, 1000]
    const giving = [REPO, 'acme/holds', token, 't', 'completed', 1000]
    const arrays = (values: readonly unknown[]) => values.map((value) => `{${JSON.stringify(value)}}`)
    const calls: Readonly<Record<string, readonly unknown[]>> = {
      takeAtOnce: [1, holder, ...taking],
      takeManyAtOnce: [1, holder, ...arrays(taking).with(2, '{"{\\"limit\\":9}"}')],
      giveBackAtOnce: [1, holder, ...giving],
      giveBackManyAtOnce: [1, holder, ...arrays(giving)],
    }
    const look = async (client: pg.Client) => {
      for (const [name, values] of Object.entries(calls)) {
        const plan = await explained(client, name, values)
        expect(plan).not.toMatch(/Seq Scan on (concurrency_slots|repository_states|holders|domains)/)
        // What a key names is looked up by it.
        expect(plan).not.toMatch(/holders_expiry|repository_states_due/)
        expect(blocksOf(plan), plan).toBeLessThan(MOST_BLOCKS)
        // It decided.
        expect(plan).toMatch(/Update on repository_states r .*actual rows=1/)
      }
    }
    await sql(connectionString, 'VACUUM ANALYZE')
    const early = await planner(connectionString, statements)
    await look(early)
    await sql(
      connectionString,
      `INSERT INTO ${schema}.concurrency_slots (repository_key, pipeline_run_key, phase, state, holder, priority, sequence, token, number,
           ticket, durable, max_hold_ms, claim_timeout_ms, lease_ttl_ms, parks, queued_at, due_at)
         SELECT CASE n % 2 WHEN 0 THEN '${REPO}' ELSE 'acme/other' END, 'acme/' || n, CASE n % 2 WHEN 0 THEN 'record' ELSE 'waiting' END, 'queued',
           CASE n % 2 WHEN 1 THEN '${holder}' END, 0, 100 + n, 0, 0, 't.' || n, false, 0, 0, 0, 0, 0, CASE n % 2 WHEN 0 THEN 1e15 END
         FROM generate_series(1, ${rows}) n`,
    )
    await look(early)
    await look(await planner(connectionString, statements))
  }, 240_000)

  test('every statement can be prepared, and none but listings reads a whole table', async () => {
    const connectionString = await newDatabase(server.url)
    const schema = newName('s')
    await openDriver({ connectionString, schema })
    const statements = statementsOf(schema)
    const client = await planner(connectionString, statements)
    for (const [name, { text }] of Object.entries(statements)) {
      if (!isPlanned(text)) continue
      const { rows: lines } = await client.query(`EXPLAIN EXECUTE ${name}${madeUp(text)}`)
      const plan = lines.map((line) => line['QUERY PLAN']).join('\n')
      expect(plan, `${name}:\n${plan}`).not.toMatch(
        /Seq Scan on (concurrency_slots|repository_states|holders|domains)/,
      )
      // An index is read from where its condition says, not from end to end.
      for (const [scan] of plan.matchAll(/Scan using \S+ on concurrency_slots.*\n.*/g))
        expect(scan, `${name}:\n${plan}`).toMatch(/Index Cond/)
    }
  })
})

/** A session with the driver's settings and all of its statements prepared. */
async function planner(
  connectionString: string,
  statements: Readonly<Record<string, Statement>>,
): Promise<pg.Client> {
  const client = await connect(connectionString)
  await client.query(statements.settings?.text ?? '', ['1000', '0', 'false'])
  await client.query("SELECT set_config('slotkeeper.locked', $1, false)", [JSON.stringify([REPO])])
  for (const [name, { text }] of Object.entries(statements))
    if (isPlanned(text)) await client.query(`PREPARE ${name} AS ${text}`)
  return client
}

function isPlanned(text: string): boolean {
  return !/^(BEGIN|COMMIT|ROLLBACK)/.test(text)
}

/** Values of the kinds that a statement takes. */
function madeUp(text: string): string {
  const numbers = [...text.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n))
  const count = Math.max(0, ...numbers)
  if (count === 0) return ''
  const values = Array.from({ length: count }, (_, at) => {
    const kind = new RegExp(`\\$${at + 1}::(json|[a-z ]+\\[\\])`).exec(text)?.[1]
    return kind === undefined ? "'0'" : kind === 'json' ? "'[]'" : "'{}'"
  })
  return `(${values.join(', ')})`
}

async function explained(client: pg.Client, name: string, values: readonly unknown[]): Promise<string> {
  const literals = values
    .map((value) => (value === null ? 'NULL' : `'${String(value).replaceAll("'", "''")}'`))
    .join(', ')
  await client.query('BEGIN')
  const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) EXECUTE ${name}(${literals})`)
  await client.query('ROLLBACK')
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

/** Blocks that the whole of a plan touched: the first line that tells of them. */
function blocksOf(plan: string): number {
  const [line = ''] = /Buffers: .*/.exec(plan) ?? []
  return [...line.matchAll(/(?:hit|read)=(\d+)/g)].reduce((sum, [, blocks]) => sum + Number(blocks), 0)
}
