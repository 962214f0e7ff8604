import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { type MigrationFile, migrate } from '../src/index.ts'
import { Command } from './support/command.ts'
import { newDirectory, write } from './support/files.ts'
import { throughProxy } from './support/proxy.ts'
import { newDatabase, newestUrl, onEachServer, program, sql } from './support/servers.ts'

vi.setConfig({ testTimeout: 300_000 })

/** 20 files of every kind, but none that reads a sequence, which no rollback takes back: tables with rows, functions, triggers, types, indexes built outside of transactions. */
const files: readonly MigrationFile[] = Array.from({ length: 20 }, (_, at) => {
  const path = `set/${String(at + 1).padStart(3, '0')}_file.sql`
  const kinds = [
    `CREATE TABLE t${at} (id int PRIMARY KEY, v text); INSERT INTO t${at} SELECT g, 'v' || g FROM generate_series(1, 50) g;`,
    `-- slotkeeper:no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i${at} ON t${at - 1} (v);`,
    `CREATE FUNCTION f${at}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := NEW.v || ';'; RETURN NEW; END $$;
     CREATE TRIGGER g${at} BEFORE INSERT ON t${at - 2} FOR EACH ROW EXECUTE FUNCTION f${at}();`,
    `CREATE TYPE e${at} AS ENUM ('a', 'b'); ALTER TABLE t${at - 3} ADD COLUMN e e${at} DEFAULT 'a'; INSERT INTO t${at - 3} (id, v) VALUES (0, 'x');`,
  ]
  return { path, content: kinds[at % 4] as string }
})

/** Everything that matters, whoever asks: rows, definitions, validity, ledger. */
async function contentOf(url: string): Promise<unknown> {
  const [row] = await sql(
    url,
    `SELECT json_build_object(
      'rows', (SELECT json_agg(x ORDER BY x.name) FROM (SELECT c.relname AS name,
        query_to_xml(format('SELECT * FROM %I ORDER BY 1', c.relname), true, true, '')::text AS rows
        FROM pg_class c WHERE c.relkind IN ('r', 'S') AND c.relnamespace = 'public'::regnamespace) x),
      'indexes', (SELECT json_agg(pg_get_indexdef(i.indexrelid) || i.indisvalid ORDER BY i.indexrelid::regclass::text) FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace),
      'functions', (SELECT json_agg(pg_get_functiondef(p.oid) ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace),
      'triggers', (SELECT json_agg(pg_get_triggerdef(t.oid) ORDER BY t.tgname) FROM pg_trigger t WHERE NOT t.tgisinternal),
      'ledger', (SELECT json_agg(json_build_array(m.number, m.sha256, m.state, m.how) ORDER BY m.number) FROM slotkeeper.migrations m)
    ) AS content`,
  )
  return row?.content
}

async function dumpOf(url: string): Promise<string> {
  const { path, env } = program('pg_dump')
  const args = ['--dbname', url, '--exclude-schema', 'slotkeeper', '--no-owner']
  const { stdout } = await promisify(execFile)(path, args, { env, maxBuffer: 2 ** 26 })
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '') // random in each dump
}

/** How many boundaries to skip: all are tried with SLOTKEEPER_EXHAUSTIVE=1. */
const isExhaustive = process.env.SLOTKEEPER_EXHAUSTIVE === '1'

onEachServer((server) => {
  const untouched = async () => {
    const url = await newDatabase(server.url)
    await using proxy = await throughProxy(url)
    await migrate({ connectionString: proxy.url, source: files })
    return { url, boundaries: proxy.messages().length }
  }

  describe('a connection cut', () => {
    test.each([
      ['before', false],
      ['after', true],
    ])('%s any message to the server leaves what the next start makes whole', async (_, isSent) => {
      const { url: whole, boundaries } = await untouched()
      const expected = await contentOf(whole)
      expect(boundaries).toBeGreaterThan(40)
      const step = isExhaustive ? 1 : 4
      for (let boundary = isSent ? 2 : 1; boundary <= boundaries; boundary += step) {
        const url = await newDatabase(server.url)
        await using proxy = await throughProxy(url, (number) => {
          if (number !== boundary) return true
          // What was sent is carried out by a server that finds nobody to tell.
          if (isSent) setImmediate(() => proxy.cut())
          else proxy.cut()
          return isSent
        })
        await expect(migrate({ connectionString: proxy.url, source: files })).rejects.toMatchObject({
          code: 'SLOTKEEPER_STORE_UNAVAILABLE',
        })
        await migrate({ connectionString: url, source: files })
        expect(await contentOf(url), `cut at ${boundary}`).toEqual(expected)
      }
    })
  })

  test('a process killed at any message leaves what the next one makes whole', async () => {
    const directory = await newDirectory()
    await write(directory, Object.fromEntries(files.map(({ path, content }) => [path, String(content)])))
    const { url: whole, boundaries } = await untouched()
    const expected = await contentOf(whole)
    const dump = server.version === '15' ? await dumpOf(whole) : undefined
    const step = isExhaustive ? 1 : Math.floor(boundaries / 5)
    for (let boundary = 3; boundary <= boundaries; boundary += step) {
      const url = await newDatabase(server.url)
      const ref: { command?: Command } = {}
      await using proxy = await throughProxy(url, (number) => {
        if (number === boundary) ref.command?.child.kill('SIGKILL')
        return number < boundary
      })
      ref.command = new Command(['up', '--source', directory], { DATABASE_URL: proxy.url })
      expect(await ref.command.ended).toMatchObject({ signal: 'SIGKILL' })
      const again = new Command(['up', '--source', directory], { DATABASE_URL: url })
      expect(await again.ended).toMatchObject({ code: 0 })
      expect(await contentOf(url), `killed at ${boundary}`).toEqual(expected)
      if (dump !== undefined) expect(await dumpOf(url)).toBe(dump)
    }
  })
})

test('a source of 10,000 files is applied, and looked through in one question', async () => {
  const many = Array.from({ length: 10_000 }, (_, at) => ({
    path: `many/${at + 1}_f.sql`,
    content: `SELECT ${at};`,
  }))
  const connectionString = await newDatabase(newestUrl())
  expect((await migrate({ connectionString, source: many })).applied).toHaveLength(10_000)
  await using proxy = await throughProxy(connectionString)
  expect(await migrate({ connectionString: proxy.url, source: many })).toMatchObject({
    applied: [],
    total: 10_000,
  })
  expect(proxy.messages()).toHaveLength(1)
})
