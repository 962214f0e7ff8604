import type pg from 'pg'
import { expect, test } from 'vitest'
import { type Statement, statementsOf } from '../src/statements.ts'
import { newDatabase, newName, onEachServer, sql } from './support/servers.ts'
import { acquire, ask, connect, grantOf, openDriver, openHolder, REPO } from './support/store.ts'

/** How many blocks a statement may touch, however long the queue is: a few for each row that it gives. */
const MOST_BLOCKS = 400

/** Statements that run while somebody waits for their answer, with what they are asked in a repository whose queue is long. */
function hot(holder: string): Readonly<Record<string, readonly (string | number)[]>> {
  const named = JSON.stringify([{ repository: REPO, run: 'acme/waits-500' }])
  return {
    load: [JSON.stringify([{ domain: REPO, overdue: 20, heads: 20 }]), named, JSON.stringify([holder]), 2000],
    takeManyAtOnce: [
      JSON.stringify([{ repository: REPO, run: 'acme/new', slot_limit: 0, valid_until: 0 }]),
      holder,
    ],
    giveBackManyAtOnce: [JSON.stringify([{ repository: REPO, run: 'acme/holds', token: 1 }]), holder, 1000],
    claimDomains: [10, 1000],
    forgetRecords: [500],
    forgetHolders: [100],
    buryOverdue: [100],
    heartbeat: [holder],
    readRuns: [named],
    readRepositories: ['', 10],
    readRepository: [REPO, 10, 10, 'acme/waits-500', 1000],
    mustNotBePinned: [named],
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
    await sql(
      connectionString,
      `INSERT INTO ${schema}.concurrency_slots (repository_key, pipeline_run_key, phase, state, holder, priority, sequence, token, number,
           ticket, durable, max_hold_ms, claim_timeout_ms, lease_ttl_ms, parks, queued_at)
         SELECT '${REPO}', 'acme/waits-' || n, 'waiting', 'queued', '${holder}', 0, 100 + n, 0, 0, 't.' || n, false, 0, 0, 0, 0, 0
         FROM generate_series(1, ${rows}) n;
         UPDATE ${schema}.repository_states SET waiting = waiting + ${rows}, last_sequence = ${rows + 200}`,
    )
    const late = await planner(connectionString, statements)
    for (const [when, client] of Object.entries({
      'while the tables were empty': early,
      'when they were full': late,
    }))
      for (const [name, values] of Object.entries(hot(holder))) {
        const plan = await explained(client, name, values)
        const told = `${name}, prepared ${when}:\n${plan}`
        expect(plan, told).not.toMatch(/Seq Scan on (concurrency_slots|repository_states|holders|domains)/)
        expect(blocksOf(plan), told).toBeLessThan(MOST_BLOCKS)
      }
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
    const kind = new RegExp(`\\$${at + 1}::(json|bigint|integer|double)`).exec(text)?.[1]
    return kind === 'json' ? "'[]'" : "'0'"
  })
  return `(${values.join(', ')})`
}

async function explained(
  client: pg.Client,
  name: string,
  values: readonly (string | number)[],
): Promise<string> {
  const literals = values.map((value) => `'${String(value).replaceAll("'", "''")}'`).join(', ')
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
