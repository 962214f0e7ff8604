import pg from 'pg'
import { expect, test } from 'vitest'
import {
  baseline,
  type MigrateOptions,
  type MigrationFile,
  migrate,
  repair,
  status,
  verify,
} from '../src/index.ts'
import { throughProxy } from './support/proxy.ts'
import { addressOf, newDatabase, newRole, onEachServer, sql, standbyUrl } from './support/servers.ts'

const first: MigrationFile = { path: 'a/001_first.sql', content: 'CREATE TABLE first (id int);' }
const second: MigrationFile = { path: 'a/002_second.sql', content: 'CREATE TABLE second (id int);' }

/** What a call throws. */
function failure(call: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  return call.then(
    () => {
      throw new Error('it did not fail')
    },
    (error) => error,
  )
}

async function tables(url: string): Promise<string[]> {
  const rows = await sql(
    url,
    `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1`,
  )
  return rows.map(({ relname }) => String(relname))
}

const paths = ({ applied }: { readonly applied: readonly { readonly path: string }[] }) =>
  applied.map(({ path }) => path)

onEachServer((server) => {
  const given = async (
    source: readonly MigrationFile[],
    more: Omit<Partial<MigrateOptions>, 'source'> = {},
  ) => ({
    connectionString: await newDatabase(server.url),
    source,
    ...more,
  })

  test('files are applied once, in order, and the ledger says by whom', async () => {
    const options = await given([second, first])
    expect(paths(await migrate(options))).toEqual(['a/001_first.sql', 'a/002_second.sql'])
    expect(paths(await migrate(options))).toEqual([])
    expect(await tables(options.connectionString)).toEqual(['first', 'second'])
    expect(await status(options)).toMatchObject([
      { path: 'a/001_first.sql', state: 'applied', how: 'run', appliedBy: new URL(server.url).username },
      {
        path: 'a/002_second.sql',
        state: 'applied',
        appliedAt: expect.any(Date),
        durationMs: expect.any(Number),
      },
    ])
  })

  test('the schemas named go first, the others by name', async () => {
    const files = ['c', 'b', 'a', 'd'].map((schema) => ({ path: `${schema}/1_x.sql`, content: '' }))
    const options = await given(files, { schemaOrder: ['d', 'c'] })
    expect(paths(await migrate(options))).toEqual(['d/1_x.sql', 'c/1_x.sql', 'a/1_x.sql', 'b/1_x.sql'])
  })

  test('a file that fails leaves nothing of itself, stops those after it, and says where', async () => {
    const broken = {
      path: 'a/002_broken.sql',
      content: 'CREATE TABLE half (id int);\nSELECT 1;\nSELECT ü FROM first;',
    }
    const options = await given([
      first,
      broken,
      { path: 'a/003_third.sql', content: 'CREATE TABLE third ()' },
    ])
    expect(await failure(migrate(options))).toMatchObject({
      code: 'SLOTKEEPER_MIGRATION_FAILED',
      path: 'a/002_broken.sql',
      statement: 3,
      line: 3,
      column: 8,
      sqlState: '42703',
    })
    expect(await tables(options.connectionString)).toEqual(['first'])
    const mended = { ...options, source: [first, { ...broken, content: 'CREATE TABLE whole ()' }] }
    expect(paths(await migrate(mended))).toEqual(['a/002_broken.sql'])
  })

  test.each([
    ['a string', "SELECT 1;\nINSERT INTO first VALUES ('1", 'unterminated quoted string', 2],
    ['a string of a line', "SELECT 'it''s", 'unterminated quoted string', 1],
    ['a name', 'CREATE TABLE "half', 'unterminated quoted identifier', 1],
    ['a comment', 'SELECT 1; /* of /* more */ lines', 'unterminated /* comment', 1],
    ['dollars', 'DO $body$ BEGIN $$; $$', 'unterminated dollar-quoted string', 1],
    ['a statement', 'CREATE TABLE half (id int', 'syntax error at end of input', 1],
    [
      'a statement after letters of two halves',
      "SELECT '🦊🦊🦊🦊🦊🦊'; SELECT (",
      'syntax error at end of input',
      1,
    ],
  ])(
    'a file that breaks off within %s does nothing, and says what is missing',
    async (_, content, text, line) => {
      const options = await given([first, { path: 'a/002_broken.sql', content }])
      const error = await failure(migrate(options))
      const message = expect.stringContaining(text)
      expect(error).toMatchObject({ code: 'SLOTKEEPER_MIGRATION_FAILED', sqlState: '42601', message, line })
      expect(await tables(options.connectionString)).toEqual(['first'])
    },
  )

  test.each(['SELECT 1 -- no more', 'SELECT 1; --', '-- nothing', '', ';', 'SELECT 1 /* no more */'])(
    'what follows a file that ends with %j is not taken for a part of it',
    async (content) => {
      const files = [{ path: 'a/001_open.sql', content }, second]
      const options = await given(files)
      expect(paths(await migrate(options))).toEqual(files.map(({ path }) => path))
      expect(await verify(options)).toEqual({ applied: 2, pending: [] })
    },
  )

  test('each file is one round trip', async () => {
    const files = Array.from({ length: 50 }, (_, at) => ({
      path: `a/${at + 1}_f.sql`,
      content: `SELECT ${at}`,
    }))
    const options = await given(files.slice(0, 10))
    await using proxy = await throughProxy(options.connectionString)
    await migrate({ ...options, connectionString: proxy.url, source: files.slice(0, 10) })
    const ten = proxy.messages().length
    await using other = await throughProxy(await newDatabase(server.url))
    await migrate({ connectionString: other.url, source: files })
    expect(other.messages().length - ten).toBe(40)
  })

  test('a statement that runs in no transaction is refused, and the answer says how to run it', async () => {
    const content = 'CREATE INDEX CONCURRENTLY i ON first (id);'
    const options = await given([first, { path: 'a/002_index.sql', content }])
    const error = await failure(migrate(options))
    const message = expect.stringContaining('whose first line is `-- slotkeeper:no-transaction`')
    expect(error).toMatchObject({ code: 'SLOTKEEPER_MIGRATION_FAILED', sqlState: '25001', message })
  })

  test('a constraint that is put off until the commit fails the file', async () => {
    const late =
      'CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES (1)'
    const error = await failure(migrate(await given([{ path: 'a/001_late.sql', content: late }])))
    expect(error).toMatchObject({
      code: 'SLOTKEEPER_MIGRATION_FAILED',
      statement: undefined,
      sqlState: '23503',
    })
  })

  test.each(['COMMIT', 'ROLLBACK', 'COMMIT; BEGIN'])(
    'a file that ends the transaction itself (%s) is refused',
    async (end) => {
      const options = await given([{ path: 'a/001_ends.sql', content: `CREATE TABLE x (); ${end};` }])
      const error = await failure(migrate(options))
      expect(error).toMatchObject({
        code: 'SLOTKEEPER_MIGRATION_FAILED',
        message: expect.stringContaining('ends its transaction itself'),
      })
      expect(await status(options)).toMatchObject([{ state: 'pending' }])
    },
  )

  test('what a file sets in its session is gone in the next', async () => {
    const sets = `SET search_path = ''; SET client_encoding = 'LATIN1'; SET default_transaction_read_only = on;
      SET ROLE pg_monitor; SET standard_conforming_strings = off; CREATE TEMP TABLE t (); PREPARE x AS SELECT 1;`
    const next = {
      path: 'a/002_ü.sql',
      content: `CREATE TEMP TABLE t (); PREPARE x AS SELECT 1; CREATE TABLE "ü'\\" ()`,
    }
    const options = await given([{ path: 'a/001_ß.sql', content: sets }, next])
    await migrate(options)
    expect(await tables(options.connectionString)).toEqual(["ü'\\"])
    expect(await verify(options)).toEqual({ applied: 2, pending: [] })
  })

  test('quotes, comments, dollars and functions reach the server as they are', async () => {
    const hostile = `
      CREATE TABLE hostile (t text DEFAULT ';', "a;b" text DEFAULT '--', c text DEFAULT E'\\';');
      /* one /* nested; */ ; still a comment */ INSERT INTO hostile VALUES ('''; DROP TABLE hostile; --');
      CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $tag$ BEGIN -- $$ ; $$
        RETURN $$a;b$$ || '$tag'; END $tag$;
      INSERT INTO hostile SELECT f() -- no end of line; and no semicolon`
    const options = await given([{ path: 'a/001_x.sql', content: hostile }])
    await migrate(options)
    expect(await sql(options.connectionString, 'SELECT t, "a;b" AS b FROM hostile ORDER BY 1')).toEqual([
      { t: "'; DROP TABLE hostile; --", b: '--' },
      { t: 'a;b$tag', b: '--' },
    ])
  })

  test('names with quotes, semicolons and any letters are names', async () => {
    const odd = `o'ne"; DROP TABLE x; --/001_日本 "x"';.sql`
    const options = await given([{ path: odd, content: 'SELECT 1' }], {
      ledgerSchema: `le"d'g;er`,
      ledgerTable: 'mi"g',
      set: `s'ü`,
    })
    await migrate(options)
    expect(await status(options)).toMatchObject([{ path: odd, state: 'applied' }])
  })

  test('an edited file is refused with the lines that differ, until it is accepted', async () => {
    const options = await given([{ path: 'a/001_x.sql', content: 'SELECT 1;\nSELECT 2;\nSELECT 3;\n' }])
    await migrate(options)
    const edited = {
      ...options,
      source: [{ path: 'a/001_x.sql', content: `SELECT 1;\nSELECT 'secret';\nSELECT 3;\n` }, second],
    }
    const error = await failure(migrate(edited))
    expect(error).toMatchObject({
      code: 'SLOTKEEPER_MIGRATION_DRIFT',
      message: expect.stringContaining('line 2 differs'),
    })
    expect(error.message).not.toContain('secret')
    await repair({ ...edited, accept: ['a/001_x.sql'] })
    expect(paths(await migrate(edited))).toEqual(['a/002_second.sql'])
  })

  test('a missing file is refused, until it is forgotten', async () => {
    const options = await given([first, second])
    await migrate(options)
    const without = { ...options, source: [second] }
    expect(await failure(migrate(without))).toMatchObject({
      files: [{ path: 'a/001_first.sql', state: 'missing' }],
    })
    expect(await failure(verify(without))).toMatchObject({ code: 'SLOTKEEPER_MIGRATION_DRIFT' })
    await repair({ ...without, forget: ['a/001_first.sql'] })
    expect(await verify(without)).toEqual({ applied: 1, pending: [] })
  })

  test('a new file below applied ones is refused, unless it is wanted so', async () => {
    const options = await given([second])
    await migrate(options)
    const late = { ...options, source: [first, second] }
    expect(await failure(migrate(late))).toMatchObject({
      files: [{ path: 'a/001_first.sql', state: 'out-of-order' }],
    })
    expect(paths(await migrate({ ...late, outOfOrder: true }))).toEqual(['a/001_first.sql'])
  })

  test('a renamed file is refused, until it is accepted', async () => {
    const options = await given([first])
    await migrate(options)
    const renamed = { ...options, source: [{ ...first, path: 'a/001_other.sql' }] }
    expect(await failure(migrate(renamed))).toMatchObject({ files: [{ state: 'renamed' }] })
    await repair({ ...renamed, accept: ['a/001_other.sql'] })
    expect(await verify(renamed)).toEqual({ applied: 1, pending: [] })
  })

  test('a repair of something that is right, or nowhere, changes nothing', async () => {
    const options = await given([first])
    await migrate(options)
    for (const wrong of [{ accept: ['a/001_first.sql'] }, { forget: ['a/009_none.sql'] }, {}])
      expect(await failure(repair({ ...options, ...wrong }))).toMatchObject({
        code: 'SLOTKEEPER_INVALID_ARGUMENT',
      })
    expect(await verify(options)).toEqual({ applied: 1, pending: [] })
  })

  test('a dry run writes nothing, not even a ledger', async () => {
    const options = await given([first, second])
    expect(paths(await migrate({ ...options, dryRun: true }))).toEqual([
      'a/001_first.sql',
      'a/002_second.sql',
    ])
    expect(await sql(options.connectionString, `SELECT to_regnamespace('slotkeeper') AS s`)).toEqual([
      { s: null },
    ])
  })

  test('a baseline counts as applied what it covers', async () => {
    const options = await given([first, second, { path: 'b/001_b.sql', content: 'SELECT 1' }])
    expect(await baseline({ ...options, through: ['a/001_first.sql'] })).toEqual(['a/001_first.sql'])
    expect(paths(await migrate(options))).toEqual(['a/002_second.sql', 'b/001_b.sql'])
    expect(await tables(options.connectionString)).toEqual(['second'])
    expect(await baseline(options)).toEqual([])
  })

  test('two sets in one ledger do not see each other', async () => {
    const options = await given([first])
    await migrate(options)
    expect(paths(await migrate({ ...options, set: 'other', source: [second] }))).toEqual(['a/002_second.sql'])
    expect(await verify(options)).toEqual({ applied: 1, pending: [] })
  })

  test('five managers at once apply each file once', async () => {
    const files = Array.from({ length: 20 }, (_, at) => ({
      path: `a/${at + 1}_f.sql`,
      content: `CREATE TABLE t${at} (); INSERT INTO seen VALUES (${at});`,
    }))
    const options = await given([{ path: 'a/0_seen.sql', content: 'CREATE TABLE seen (at int)' }, ...files])
    const results = await Promise.all(Array.from({ length: 5 }, () => migrate(options)))
    expect(results.flatMap(paths).sort()).toEqual(['a/0_seen.sql', ...files.map(({ path }) => path)].sort())
    expect(
      await sql(
        options.connectionString,
        'SELECT count(*)::int, count(DISTINCT at)::int AS distinct FROM seen',
      ),
    ).toEqual([{ count: 20, distinct: 20 }])
  })

  test('an index is built concurrently while another manager waits', async () => {
    const index = '-- slotkeeper:no-transaction\nCREATE INDEX CONCURRENTLY i ON first (id);'
    const options = await given([first, { path: 'a/002_index.sql', content: index }])
    const results = await Promise.all([migrate(options), migrate(options), migrate(options)])
    expect(results.flatMap(paths).sort()).toEqual(['a/001_first.sql', 'a/002_index.sql'])
    expect(
      await sql(options.connectionString, `SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass`),
    ).toEqual([{ indisvalid: true }])
  })

  test('the unusable index that an interrupted build left is dropped and built again', async () => {
    const content =
      '-- slotkeeper:no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON first (id);'
    const source = [
      { ...first, content: 'CREATE TABLE first (id int); INSERT INTO first VALUES (1), (1)' },
      { path: 'a/002_i.sql', content },
    ]
    const options = await given(source)
    expect(await failure(migrate(options))).toMatchObject({ path: 'a/002_i.sql', sqlState: '23505' })
    expect(await status(options)).toMatchObject([{ state: 'applied' }, { state: 'unfinished' }])
    await sql(options.connectionString, 'TRUNCATE first')
    expect(paths(await migrate(options))).toEqual(['a/002_i.sql'])
    expect(
      await sql(options.connectionString, `SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass`),
    ).toEqual([{ indisvalid: true }])
  })

  test('an unusable index of somebody else stays', async () => {
    const options = await given([
      { ...first, content: 'CREATE TABLE first (id int); INSERT INTO first VALUES (1), (1)' },
    ])
    await migrate(options)
    await failure(sql(options.connectionString, 'CREATE UNIQUE INDEX CONCURRENTLY theirs ON first (id)'))
    const content = '-- slotkeeper:no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY ours ON first (id);'
    const more = { ...options, source: [...options.source, { path: 'a/002_i.sql', content }] }
    await failure(migrate(more))
    await failure(migrate(more))
    const rows = await sql(
      options.connectionString,
      `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid ORDER BY 1`,
    )
    expect(rows.map(({ name }) => name)).toEqual(['ours', 'theirs'])
  })

  test('who waits too long for another manager is told so', async () => {
    const options = await given([first])
    await migrate(options)
    const holder = new pg.Client({ connectionString: options.connectionString })
    await holder.connect()
    await holder.query('BEGIN; LOCK TABLE first')
    const long = { path: 'a/002_slow.sql', content: 'ALTER TABLE first ADD x int' }
    const running = migrate({ ...options, source: [first, long] })
    await untilWaiting(options.connectionString)
    expect(await failure(migrate({ ...options, source: [first, long], waitMs: 100 }))).toMatchObject({
      code: 'SLOTKEEPER_MIGRATION_LOCKED',
      retryable: true,
    })
    await holder.query('ROLLBACK')
    await holder.end()
    expect(paths(await running)).toEqual([long.path])
  })

  test('a statement that waits too long for a table ends, and the file is rolled back', async () => {
    const options = await given([first])
    await migrate(options)
    const holder = new pg.Client({ connectionString: options.connectionString })
    await holder.connect()
    await holder.query('BEGIN; LOCK TABLE first')
    const blocked = { path: 'a/002_x.sql', content: 'ALTER TABLE first ADD x int' }
    const error = await failure(migrate({ ...options, source: [first, blocked], lockTimeoutMs: 50 }))
    expect(error).toMatchObject({ code: 'SLOTKEEPER_MIGRATION_FAILED', sqlState: '55P03' })
    await holder.end()
  })

  test('an aborted migration is cancelled in the server, and rolled back', async () => {
    const options = await given([
      { path: 'a/001_x.sql', content: 'CREATE TABLE half (); SELECT pg_sleep(600)' },
    ])
    const end = new AbortController()
    const running = failure(migrate({ ...options, signal: end.signal }))
    await until(async () => (await sql(options.connectionString, SLEEPING)).length === 1)
    end.abort(new Error('stop'))
    expect(await running).toMatchObject({ message: 'stop' })
    await until(async () => (await sql(options.connectionString, SLEEPING)).length === 0)
    expect(await tables(options.connectionString)).toEqual([])
  })

  test('a start that finds nothing to do asks twice at the most, and takes no lock', async () => {
    const files = Array.from({ length: 1000 }, (_, at) => ({
      path: `a/${at + 1}_f.sql`,
      content: `SELECT ${at}`,
    }))
    const options = await given(files)
    await baseline(options)
    await using proxy = await throughProxy(options.connectionString)
    expect(paths(await migrate({ ...options, connectionString: proxy.url }))).toEqual([])
    expect(proxy.messages().length).toBeLessThanOrEqual(2)
    expect(proxy.messages().join()).not.toContain('advisory')
  })

  test('a dump of five megabytes is one file', async () => {
    const row = `INSERT INTO big VALUES ('${'x'.repeat(1000)}');\n`
    const dump = `SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE public.big (t text);\n${row.replaceAll('INTO big', 'INTO public.big').repeat(5000)}`
    const options = await given([{ path: 'a/001_dump.sql', content: dump }, second])
    await migrate(options)
    expect(await sql(options.connectionString, 'SELECT count(*)::int FROM big')).toEqual([{ count: 5000 }])
  })

  test('a user who may not do something is told what, and nothing is changed', async () => {
    const options = await given([first])
    const role = await newRole(options.connectionString)
    const database = new URL(options.connectionString).pathname.slice(1)
    const as = addressOf(options.connectionString, database, role)
    expect(await failure(migrate({ ...options, connectionString: as }))).toMatchObject({
      code: 'SLOTKEEPER_STORE_PERMISSION',
    })
    await sql(options.connectionString, `CREATE SCHEMA slotkeeper AUTHORIZATION ${role}`)
    const error = await failure(migrate({ ...options, connectionString: as }))
    expect(error).toMatchObject({ code: 'SLOTKEEPER_MIGRATION_FAILED', sqlState: '42501' })
    await sql(options.connectionString, `GRANT CREATE ON SCHEMA public TO ${role}`)
    expect(paths(await migrate({ ...options, connectionString: as }))).toEqual(['a/001_first.sql'])
  })

  test('a table that is no ledger is left alone', async () => {
    const options = await given([first], { ledgerSchema: 'public', ledgerTable: 'mine' })
    await sql(
      options.connectionString,
      'CREATE TABLE mine (set_name text, schema_name text, number int, name text, sha256 text, state text, how text, applied_at timestamptz, duration_ms int, applied_by text, applied_from text)',
    )
    expect(await failure(migrate(options))).toMatchObject({ code: 'SLOTKEEPER_STORE_FOREIGN' })
    await sql(
      options.connectionString,
      `COMMENT ON TABLE mine IS 'Migrations that were applied (slotkeeper ledger, format 2)'`,
    )
    expect(await failure(migrate(options))).toMatchObject({ code: 'SLOTKEEPER_SCHEMA_TOO_NEW' })
  })

  test('a pool lends one connection, and does not get it back', async () => {
    const { connectionString, source } = await given([
      { path: 'a/001_x.sql', content: 'SET search_path = nowhere' },
    ])
    const pool = new pg.Pool({ connectionString, max: 1 })
    await migrate({ pool, source })
    expect((await pool.query('SHOW search_path')).rows).toEqual([{ search_path: '"$user", public' }])
    await pool.end()
  })

  const SLEEPING = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid() AND state = 'active'`
})

test('a standby is good for looking, and refuses to be migrated', async () => {
  const options = { connectionString: standbyUrl(), source: [first] }
  expect(await status(options)).toEqual([{ path: 'a/001_first.sql', state: 'pending' }])
  expect(await failure(migrate(options))).toMatchObject({ code: 'SLOTKEEPER_STORE_READ_ONLY' })
})

test('a server that is not there is told without the password', async () => {
  const error = await failure(
    migrate({ connectionString: 'postgres://me:hunter2@127.0.0.1:1/x', source: [first] }),
  )
  expect(error).toMatchObject({ code: 'SLOTKEEPER_STORE_UNAVAILABLE', retryable: true })
  expect(`${error.message}${JSON.stringify(error)}`).not.toContain('hunter2')
})

async function untilWaiting(url: string): Promise<void> {
  await until(
    async () =>
      (await sql(url, `SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'`)).length > 0,
  )
}

/** Asks again and again; the test's own time limit is the limit. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20))
}
