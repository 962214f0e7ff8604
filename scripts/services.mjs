// The servers that tests and benchmarks need: started before them, stopped after them, and only these.
import { join } from 'node:path'
import { postgresPrograms } from './postgres-programs.mjs'
import { startPostgres } from './postgres-server.mjs'
import { progress } from './run.mjs'

/** Test projects, and suites of benchmarks, that need PostgreSQL. A new one is added here. */
const needPostgres = ['migrations', 'driver-postgres']

/** Whether one of the chosen projects or suites, where none was chosen means all, needs PostgreSQL. */
export function needsPostgres(chosen) {
  return chosen.length === 0 || chosen.some((name) => needPostgres.some((need) => matches(name, need)))
}

/** Vitest takes `--project 'driver-*'` as well. */
function matches(pattern, name) {
  return new RegExp(`^${pattern.split('*').map(literally).join('.*')}$`).test(name)
}

function literally(text) {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
}

/**
 * Does `work` in an environment that names real servers of PostgreSQL:
 *
 * - `TEST_POSTGRES_URL`: version 18; yours, if you set it, and then nothing in it is dropped, and every name is made up anew
 * - `TEST_POSTGRES_15_URL`: version 15; yours, likewise
 * - `TEST_POSTGRES_STANDBY_URL`: a standby of version 18, which refuses every write
 * - `TEST_POSTGRES_BIN`: where `psql` and `pg_dump` of version 15 are; `TEST_POSTGRES_LIBRARIES` where their libraries are
 *
 * Where version 15 cannot be had, `TEST_POSTGRES_15_PROBLEM` says why, for the tests that need it to fail with.
 */
export async function withPostgres(env, work) {
  const started = []
  const found = { ...env }
  const start = async (version, options) => {
    const programs = await postgresPrograms(version)
    const server = await startPostgres(programs, options)
    started.push(server)
    return { programs, urls: server.urls }
  }
  const newest = async () => {
    const { urls } = await start('18', { standby: true })
    found.TEST_POSTGRES_URL ??= urls[0]
    found.TEST_POSTGRES_STANDBY_URL ??= urls[1]
  }
  const oldest = async () => {
    try {
      const { programs, urls } = await start('15')
      found.TEST_POSTGRES_15_URL ??= urls[0]
      found.TEST_POSTGRES_BIN ??= join(programs.directory, programs.bin)
      const libraries = programs.libraries.map((path) => join(programs.directory, path))
      found.TEST_POSTGRES_LIBRARIES ??= libraries.join(':')
    } catch (error) {
      found.TEST_POSTGRES_15_PROBLEM = error.message
    }
  }
  const starting = [newest(), oldest()]
  try {
    await progress('Starting PostgreSQL', () => Promise.all(starting))
    return await work(found)
  } finally {
    await Promise.allSettled(starting)
    await Promise.all(started.map((server) => server.stop()))
  }
}
