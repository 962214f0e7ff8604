// PostgreSQL servers of this checkout's own, on loopback and a free port, in a temporary directory; they end with this process.
import { spawn } from 'node:child_process'
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Failure } from './run.mjs'

const isRoot = process.getuid?.() === 0
/** PostgreSQL refuses to run as root. This user exists nowhere in particular and needs not to be made. */
const nobody = 65534
/** It takes about a second; a machine with much else to do is given time. */
const startMs = 60_000
const ids = isRoot ? { uid: nobody, gid: nobody } : {}

/** The server ends when its standard input does: also when this process was killed and could not tell it. */
const whileParentLives = `
exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ cat <&3 >/dev/null; kill -INT $server; } 2>/dev/null &
exec 3<&-
wait $server`

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
 * Starts a server of a version, and beside it, when `standby` is set, a copy of it that only answers reads. `urls` has their
 * superuser's addresses (no password), `stop` ends what was started and removes it. `settings` go before those of this file; `files` are
 * written into the data directory, readable by the server alone, `pg_hba.conf` among them if it is there.
 *
 * @param {import('./postgres-programs.mjs').Programs} programs
 * @param {{ standby?: boolean, settings?: Record<string, string>, files?: Record<string, string> }} [options]
 * @returns {Promise<{ urls: string[], stop: () => Promise<void> }>}
 */
export async function startPostgres(programs, { standby = false, settings = {}, files = {} } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'slotkeeper-postgres-'))
  chmodSync(directory, 0o755)
  const running = []
  const stop = async () => {
    await Promise.all(running.map((server) => server.stop()))
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const place = reachable(programs, directory)
    const data = dataDirectory(directory, 'data')
    await initialise(place, data)
    for (const [name, text] of Object.entries(files)) writeForServer(join(data, name), text)
    const directories = [data]
    if (standby) {
      const copy = dataDirectory(directory, 'standby')
      cpSync(data, copy, { recursive: true, preserveTimestamps: true })
      writeFileSync(join(copy, 'standby.signal'), '')
      if (isRoot) await finish(spawn('chown', ['-R', `${nobody}:${nobody}`, copy]), 'chown')
      directories.push(copy)
    }
    const starts = directories.map(async (path) => serve(place, path, { ...defaults, ...settings }))
    for (const start of await Promise.allSettled(starts))
      if (start.status === 'fulfilled') running.push(start.value)
    await Promise.all(starts)
  } catch (error) {
    await stop()
    throw error
  }
  return { urls: running.map(({ url }) => url), stop }
}

/** A checkout below a home directory with mode 700 cannot be read by the other user. */
function reachable({ directory, bin, libraries }, temporary) {
  let from = directory
  if (isRoot && directory !== '/usr') {
    from = join(temporary, 'programs')
    cpSync(directory, from, { recursive: true, verbatimSymlinks: true })
  }
  const found = libraries.map((path) => join(from, path)).join(delimiter)
  return {
    bin: join(from, bin),
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', ...(found && { LD_LIBRARY_PATH: found }) },
    cwd: temporary,
  }
}

function dataDirectory(temporary, name) {
  const data = join(temporary, name)
  mkdirSync(data, { mode: 0o700 })
  if (isRoot) chownSync(data, nobody, nobody)
  return data
}

function writeForServer(path, text) {
  writeFileSync(path, text, { mode: 0o600 })
  if (isRoot) chownSync(path, nobody, nobody)
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

async function serve({ bin, env, cwd }, data, settings) {
  const port = await freePort()
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const command = [join(bin, 'postgres'), '-D', data, '-p', String(port), ...options]
  const child = spawn('sh', ['-c', whileParentLives, 'sh', ...command], {
    ...ids,
    env,
    cwd,
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true, // an interrupt from the terminal is for the tests; the server is still needed while they end
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const stop = async () => {
    child.stdin.destroy()
    await ended
  }
  child.stdin.on('error', () => undefined) // it has ended already
  await new Promise((resolve, reject) => {
    let output = ''
    const fail = () => {
      child.stdin.destroy()
      reject(new Failure(`PostgreSQL did not start: ${output}`))
    }
    const late = setTimeout(fail, startMs)
    child.once('error', reject)
    child.once('exit', fail)
    child.stderr.on('data', (text) => {
      output += text
      if (!/ready to accept (read-only )?connections/.test(output)) return
      clearTimeout(late)
      resolve(undefined)
    })
  })
  child.stderr.removeAllListeners('data').resume() // nobody reads what it says from now on, and it must not wait for that
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })
}
