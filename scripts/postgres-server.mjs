// PostgreSQL servers of this checkout's own, on loopback and a free port, in a temporary directory; they end with this process.
import { spawn } from 'node:child_process'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from './run.mjs'
import {
  freePort,
  ids,
  isRoot,
  nobody,
  ownDirectory,
  place,
  serve,
  temporary,
  writeForServer,
} from './server-process.mjs'

const defaults = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  wal_level: 'logical',
  jit: 'off',
  log_min_messages: 'log',
}

/**
 * @typedef {object} PostgresServer
 * @property {string} url
 * @property {(signal?: 'SIGINT' | 'SIGQUIT' | 'SIGKILL') => Promise<void>} stop
 * @property {() => Promise<void>} start
 */

/**
 * Starts a server of a version, and beside it, when `standby` is set, a copy of it that only answers reads; one that is `'following'` gets
 * every commit before it is answered, and can be promoted. `urls` has their
 * superuser's addresses (no password), `stop` ends what was started and removes it. `settings` go before those of this file; `files` are
 * written into the data directory, readable by the server alone, `pg_hba.conf` among them if it is there. `servers` can each be stopped
 * and started again, where they were and with what they held; `stop('SIGQUIT')` is a crash, `stop('SIGKILL')` one of which nobody is told.
 *
 * @param {import('./debian-packages.mjs').Programs} programs
 * @param {{ standby?: boolean | 'following', settings?: Record<string, string>, files?: Record<string, string> }} [options]
 * @returns {Promise<{ urls: string[], servers: PostgresServer[], stop: () => Promise<void> }>}
 */
export async function startPostgres(programs, { standby = false, settings = {}, files = {} } = {}) {
  const directory = temporary('postgres')
  const running = []
  const stop = async () => {
    await Promise.all(running.map((server) => server.stop()))
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const at = place(programs, directory)
    const data = ownDirectory(directory, 'data')
    await initialise(at, data)
    for (const [name, text] of Object.entries(files)) writeForServer(join(data, name), text)
    const directories = [data]
    if (standby) {
      const copy = ownDirectory(directory, 'standby')
      cpSync(data, copy, { recursive: true, preserveTimestamps: true })
      writeFileSync(join(copy, 'standby.signal'), '')
      if (isRoot) await finish(spawn('chown', ['-R', `${nobody}:${nobody}`, copy]), 'chown')
      directories.push(copy)
    }
    const port = await freePort()
    const ofAll = { ...defaults, ...settings }
    const own = standby === 'following' ? following(port) : [{}, {}]
    const starts = directories.map(async (path, which) =>
      serveData(at, path, which === 0 ? port : await freePort(), { ...ofAll, ...own[which] }),
    )
    for (const start of await Promise.allSettled(starts))
      if (start.status === 'fulfilled') running.push(start.value)
    await Promise.all(starts)
  } catch (error) {
    await stop()
    throw error
  }
  return { urls: running.map(({ url }) => url), servers: running, stop }
}

/** What the two servers are told, so that the second has whatever the first has answered. */
function following(port) {
  return [
    { synchronous_standby_names: '*', synchronous_commit: 'remote_apply' },
    { primary_conninfo: `host=127.0.0.1 port=${port} user=postgres`, wal_retrieve_retry_interval: '100ms' },
  ]
}

function initialise({ bin, env, cwd }, data) {
  const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-N', '--locale=C', '-E', 'UTF8']
  return finish(spawn(join(bin, 'initdb'), args, { ...ids, env, cwd }), 'initdb')
}

function finish(child, name) {
  return new Promise((resolve, reject) => {
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Failure(`${name} failed: ${output}`))))
  })
}

async function serveData(at, data, port, settings) {
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const start = () =>
    serve(at, {
      name: 'PostgreSQL',
      command: [join(at.bin, 'postgres'), '-D', data, '-p', String(port), ...options],
      ready: /ready to accept (read-only )?connections/,
      signal: 'INT', // at once: clients are cut off, and nothing is lost
    })
  let running = await start()
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async stop(signal = 'SIGINT') {
      const [pid] = signal !== 'SIGINT' ? readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n') : []
      if (pid !== undefined) process.kill(Number(pid), signal)
      await running.stop()
    },
    async start() {
      running = await start()
    },
  }
}
