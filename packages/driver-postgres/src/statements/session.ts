import type { Fragments } from './fragments.ts'

/** What a connection is asked and told before it decides anything. */
export function sessionStatements({ s }: Fragments) {
  return {
    begin: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
    commit: 'COMMIT',
    rollback: 'ROLLBACK',
    /** The server's process: another one than the connection was told of where a pooler is in between. */
    whoServes: 'SELECT pg_catalog.pg_backend_pid()',
    /**
     * lock timeout, timeout between two statements of a transaction, both in ms; whether for the transaction only. Before every transaction
     * on a connection that others use too, once on one of our own.
     */
    settings: `SELECT pg_catalog.set_config(s.name, s.value, $3::boolean) FROM (VALUES ('search_path', 'pg_catalog'), ('lock_timeout', $1),
      ('idle_in_transaction_session_timeout', $2), ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'),
      ('enable_sort', 'off'), ('enable_indexscan', 'on'), ('enable_nestloop', 'on'), ('enable_tidscan', 'on'), ('array_nulls', 'on'), ('enable_bitmapscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'),
      ('extra_float_digits', '1'), ('default_transaction_isolation', 'read committed'), ('default_transaction_read_only', 'off')) AS s(name, value)`,
    /** What this server and this store are. Fails where there is no store. */
    about: `SELECT layout, current_setting('server_version'), current_setting('server_version_num'), pg_is_in_recovery(),
      current_setting('server_encoding'), pg_backend_pid() FROM ${s}.store`,
  }
}
