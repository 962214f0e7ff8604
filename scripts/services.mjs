// The servers that tests and benchmarks need: started before them, stopped after them, and only these.
import { join } from 'node:path'
import { etcdPrograms, startEtcd } from './etcd-server.mjs'
import { startPgBouncer } from './pgbouncer-server.mjs'
import { postgresPrograms } from './postgres-programs.mjs'
import { startPostgres } from './postgres-server.mjs'
import { startRedis } from './redis-server.mjs'
import { progress } from './run.mjs'

/**
 * What test projects, and suites of benchmarks, need. A new one is added here.
 * @type {Record<'tests' | 'bench', Record<string, string[]>>}
 */
const needs = {
  tests: {
    cli: ['postgres', 'etcd'],
    migrations: ['postgres'],
    'driver-postgres': ['postgres', 'pgbouncer'],
    'driver-etcd': ['etcd'],
  },
  bench: { etcd: ['durableEtcd'], migrations: ['postgres'], postgres: ['durable', 'redis'] },
}

/** What syncs and answers as a server of a user does. */
const durable = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  wal_level: 'replica',
  max_wal_size: '4GB',
  max_connections: '300',
  shared_preload_libraries: 'pg_stat_statements',
}

/** Each starts one kind of server and tells in `found` where it is, unless somebody else's is named there already. */
const starters = {
  postgres: (found, start) => Promise.all([newest(found, start), oldest(found, start)]),
  durable: async (found, start) => {
    if (found.BENCH_POSTGRES_URL) return
    const { urls } = await start(startPostgres(await postgresPrograms('18'), { settings: durable }))
    found.BENCH_POSTGRES_URL = urls[0]
  },
  etcd: async (found, start) => {
    if (found.TEST_ETCD_ENDPOINTS) return
    const { endpoints } = await start(startEtcd(await etcdPrograms()))
    found.TEST_ETCD_ENDPOINTS = endpoints.join(',')
  },
  durableEtcd: async (found, start) => {
    if (found.BENCH_ETCD_ENDPOINTS) return
    const { endpoints } = await start(startEtcd(await etcdPrograms(), { fsync: true }))
    found.BENCH_ETCD_ENDPOINTS = endpoints.join(',')
  },
  redis: async (found, start) => {
    found.BENCH_REDIS_URL ??= (await start(startRedis())).url
  },
}

/** Each needs another one that was started before it. */
const followers = {
  pgbouncer: async (found, start) => {
    if (found.TEST_PGBOUNCER_URL) return
    try {
      found.TEST_PGBOUNCER_URL = (await start(startPgBouncer(found.TEST_POSTGRES_URL))).url
    } catch (error) {
      found.TEST_PGBOUNCER_PROBLEM = error.message
    }
  },
}

async function newest(found, start) {
  const { urls } = await start(startPostgres(await postgresPrograms('18'), { standby: true }))
  found.TEST_POSTGRES_URL ??= urls[0]
  found.TEST_POSTGRES_STANDBY_URL ??= urls[1]
}

async function oldest(found, start) {
  try {
    const programs = await postgresPrograms('15')
    const { urls } = await start(startPostgres(programs))
    found.TEST_POSTGRES_15_URL ??= urls[0]
    found.TEST_POSTGRES_BIN ??= join(programs.directory, programs.bin)
    const libraries = programs.libraries.map((path) => join(programs.directory, path))
    found.TEST_POSTGRES_LIBRARIES ??= libraries.join(':')
  } catch (error) {
    found.TEST_POSTGRES_15_PROBLEM = error.message
  }
}

/**
 * The servers that the chosen projects or suites need, where none chosen means all.
 * @param {'tests' | 'bench'} what
 * @param {string[]} chosen
 */
export function servicesFor(what, chosen) {
  const names = Object.keys(needs[what])
  const meant =
    chosen.length === 0 ? names : names.filter((name) => chosen.some((pattern) => matches(pattern, name)))
  return [...new Set(meant.flatMap((name) => needs[what][name]))]
}

/** Vitest takes `--project 'driver-*'` as well. */
function matches(pattern, name) {
  return new RegExp(`^${pattern.split('*').map(literally).join('.*')}$`).test(name)
}

function literally(text) {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
}

/**
 * Does `work` in an environment that names real servers:
 *
 * - `TEST_POSTGRES_URL`: version 18; yours, if you set it, and then every name is made up anew, and nothing else in it is dropped
 * - `TEST_POSTGRES_15_URL`: version 15; yours, likewise
 * - `TEST_POSTGRES_STANDBY_URL`: a standby of version 18, which refuses every write
 * - `TEST_POSTGRES_BIN`: where `psql` and `pg_dump` of version 15 are; `TEST_POSTGRES_LIBRARIES` where their libraries are
 * - `TEST_PGBOUNCER_URL`: PgBouncer in transaction mode, before the server of `TEST_POSTGRES_URL`
 * - `TEST_ETCD_ENDPOINTS`: an etcd; yours, if you set it, and then everything is below a prefix that nobody has
 * - `BENCH_POSTGRES_URL`, `BENCH_ETCD_ENDPOINTS`, `BENCH_REDIS_URL`: servers that have every commit on the disk before they answer
 *
 * Where version 15 or PgBouncer cannot be had, `TEST_POSTGRES_15_PROBLEM` or `TEST_PGBOUNCER_PROBLEM` says why, for the tests that need
 * it to fail with.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {ReturnType<typeof servicesFor>} services
 * @param {(env: NodeJS.ProcessEnv) => Promise<number>} work
 */
export async function withServices(env, services, work) {
  if (services.length === 0) return work(env)
  const stops = []
  const found = { ...env }
  const start = async (starting) => {
    const server = await starting
    stops.push(server.stop)
    return server
  }
  const begin = (kinds) => services.flatMap((name) => (name in kinds ? [kinds[name](found, start)] : []))
  const starting = begin(starters)
  try {
    await progress('Starting servers', async () => {
      await Promise.all(starting)
      await Promise.all(begin(followers))
    })
    return await work(found)
  } finally {
    await Promise.allSettled(starting)
    await Promise.all(stops.map((stop) => stop()))
  }
}
