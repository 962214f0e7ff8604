import type { MigrationFile } from '../../src/index.ts'

/**
 * 20 files of every kind, but none that reads a sequence, which no rollback takes back: tables with rows, functions, triggers, types,
 * indexes built outside of transactions. Each waits in its middle for whoever holds what `gateOf` says, and goes on when nobody does.
 */
export const files: readonly MigrationFile[] = Array.from({ length: 20 }, (_, at) => {
  const path = `set/${String(at + 1).padStart(3, '0')}_file.sql`
  const middle = `SELECT pg_advisory_xact_lock(7, ${at});`
  const kinds = [
    `CREATE TABLE t${at} (id int PRIMARY KEY, v text); ${middle} INSERT INTO t${at} SELECT g, 'v' || g FROM generate_series(1, 50) g;`,
    `-- slotkeeper:no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i${at} ON t${at - 1} (v);`,
    `CREATE FUNCTION f${at}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := NEW.v || ';'; RETURN NEW; END $$;
     ${middle}
     CREATE TRIGGER g${at} BEFORE INSERT ON t${at - 2} FOR EACH ROW EXECUTE FUNCTION f${at}();`,
    `CREATE TYPE e${at} AS ENUM ('a', 'b'); ALTER TABLE t${at - 3} ADD COLUMN e e${at} DEFAULT 'a'; ${middle}
     INSERT INTO t${at - 3} (id, v) VALUES (0, 'x');`,
  ]
  return { path, content: kinds[at % 4] as string }
})

/** What to hold so that a file stops in its middle; an index has then been made, and is not usable yet. */
export function gateOf(at: number): string {
  return at % 4 === 1
    ? `BEGIN; LOCK TABLE t${at - 1} IN ROW EXCLUSIVE MODE`
    : `SELECT pg_advisory_lock(7, ${at})`
}
