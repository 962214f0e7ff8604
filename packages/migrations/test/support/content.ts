import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { program, type Server, sql } from './servers.ts'

/**
 * Everything in a database that matters, whatever made it: as SQL tells it of tables, rows, columns, defaults, constraints, indexes and
 * whether they are usable, functions, triggers, types, comments, owners, and the ledger; and as `pg_dump` writes it, where there is one
 * for the version: the npm packages of PostgreSQL 18 have none.
 */
export async function contentOf(url: string, version: Server['version']): Promise<unknown> {
  const [row] = await sql(url, CATALOG)
  return { ...(row?.content as object), dump: version === '15' ? await dumpOf(url) : undefined }
}

const OURS = `'public'::regnamespace`
const CATALOG = `SELECT json_build_object(
  'rows', (SELECT json_agg(x ORDER BY x.name) FROM (SELECT c.relname AS name,
    query_to_xml(format('SELECT * FROM %I ORDER BY 1', c.relname), true, true, '')::text AS rows
    FROM pg_class c WHERE c.relkind IN ('r', 'S') AND c.relnamespace = ${OURS}) x),
  'columns', (SELECT json_agg(json_build_array(c.relname, c.relkind, c.relowner::regrole, a.attnum, a.attname,
    format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
    ORDER BY c.relname, a.attnum) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relnamespace = ${OURS} AND a.attnum > 0),
  'constraints', (SELECT json_agg(json_build_array(conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))
    ORDER BY conrelid::regclass::text, conname) FROM pg_constraint WHERE connamespace = ${OURS}),
  'indexes', (SELECT json_agg(pg_get_indexdef(i.indexrelid) || i.indisvalid::text || i.indisready::text ORDER BY i.indexrelid::regclass::text)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = ${OURS}),
  'functions', (SELECT json_agg(pg_get_functiondef(oid) ORDER BY proname) FROM pg_proc WHERE pronamespace = ${OURS}),
  'triggers', (SELECT json_agg(pg_get_triggerdef(oid) || tgenabled::text ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal),
  'types', (SELECT json_agg(json_build_array(t.typname, t.typtype,
    (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)) ORDER BY t.typname)
    FROM pg_type t WHERE t.typnamespace = ${OURS}),
  'ledger', (SELECT json_agg(json_build_array(m.number, m.sha256, m.state, m.how) ORDER BY m.number) FROM slotkeeper.migrations m)
) AS content`

async function dumpOf(url: string): Promise<string> {
  const { path, env } = program('pg_dump')
  const args = ['--dbname', url, '--exclude-schema', 'slotkeeper', '--no-owner']
  const { stdout } = await promisify(execFile)(path, args, { env, maxBuffer: 2 ** 26 })
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '') // random in each dump
}
