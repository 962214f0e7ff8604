/** `slotkeeper-migrate --help`. */
export const HELP = `slotkeeper-migrate: applies SQL files to a PostgreSQL database, each once and in order, and knows what it applied.

Usage: slotkeeper-migrate VERB [options]        (or: slotkeeper migrate VERB [options])

  up         apply what is new, and make the database if it is missing
  status     what is applied and what is not
  verify     exit 1 unless every file is applied, as it is
  baseline   write files into the ledger as applied, without running them
  repair     say what is right where files and ledger differ
  serve      do all of it, over and over, and answer probes: for a container beside the database

Options:
  --source DIR             files as DIR/<schema>/<number>_<name>.sql           MIGRATIONS_PATH
  --configmap DIR          a mounted ConfigMap, <schema>_<number>_<name>.sql   CONFIGMAP_PATH, /migrations-configmap
  --schema-order A,B       schemas that go first; the others by name           MIGRATIONS_SCHEMA_ORDER
  --set NAME               keeps several sets apart in one ledger              MIGRATIONS_SET, default
  --ledger-schema NAME     where the table "migrations" is                     MIGRATIONS_LEDGER_SCHEMA, slotkeeper
  --lock-timeout TIME      how long a statement waits for a table; 0 for ever  MIGRATIONS_LOCK_TIMEOUT, 10s
  --statement-timeout TIME how long a statement may take; 0 for ever           MIGRATIONS_STATEMENT_TIMEOUT, 0
  --allow-empty            a source without files is fine                      MIGRATIONS_ALLOW_EMPTY
  --no-create-database     a missing database is an error                      MIGRATIONS_CREATE_DATABASE
  --dry-run                up: only say what would be applied
  --out-of-order           up: apply new files with numbers below applied ones
  --through FILE           baseline: the last file of its schema; may be repeated. Default: all files
  --accept FILE            repair: the file is right as it is; may be repeated
  --forget FILE            repair: the ledger shall not know the file; may be repeated
  --json                   for programs

The database: DATABASE_URL, or DATABASE_URL_FILE for a file that holds it. An option would show its password to everybody.
serve: HEALTH_PORT 1239, CHECK_INTERVAL_SECS 2, POSTGRES_TIMEOUT_SECS 90, MIGRATIONS_APPLIED_FLAG_PATH, MIGRATIONS_READY_SENTINEL_PATH.

Exit codes: 0 done; 1 a migration failed, or the files are not what was applied; 69 the database cannot be used; 125 wrong options or
settings; 130, 143 interrupted, and rolled back. serve ends with 0 when it is told to.
`
