// PgBouncer, as Debian builds it, before a server of PostgreSQL; it ends with this process.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { debianPrograms } from './debian-packages.mjs'
import { freePort, ownDirectory, place, serve, temporary, writeForServer } from './server-process.mjs'

/**
 * Starts a PgBouncer in transaction mode, which has no sessions of a client's own: whatever a session keeps, such as LISTEN, does not work
 * through it. Every database and every user of the server can be reached. Where `url` has a password, PgBouncer logs in as its user,
 * whoever asks.
 * @param {string} url the server's
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>} `url` is the same database through PgBouncer
 */
export async function startPgBouncer(url) {
  const programs = await debianPrograms({
    what: 'PgBouncer',
    folder: 'pgbouncer',
    packages: ['pgbouncer', 'libc-ares2', 'libevent-2.1-7', 'libpam0g', 'libssl3', 'libsystemd0'],
    bin: 'usr/sbin',
    otherwise: 'Name one of yours, in transaction mode, in TEST_PGBOUNCER_URL.',
  })
  const server = new URL(url)
  const directory = temporary('pgbouncer')
  const own = ownDirectory(directory, 'settings')
  const port = await freePort()
  const { login, auth } = loginsOf(server, join(own, 'users'))
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    pool_mode: 'transaction',
    default_pool_size: 20,
    max_client_conn: 500,
    ignore_startup_parameters: 'extra_float_digits',
    ...auth,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  const databases = `* = host=${server.hostname} port=${server.port || 5432} ${login}`
  writeForServer(
    join(own, 'pgbouncer.ini'),
    ['[databases]', databases, '[pgbouncer]', ...lines, ''].join('\n'),
  )
  const user = decodeURIComponent(server.username).replaceAll('"', '""')
  writeForServer(join(own, 'users'), `"${user}" ""\n`)
  const at = place(programs, directory)
  try {
    const running = await serve(at, {
      name: 'PgBouncer',
      command: [join(at.bin, 'pgbouncer'), join(own, 'pgbouncer.ini')],
      ready: /process up/,
      signal: 'TERM', // at once: its clients are cut off
    })
    server.hostname = '127.0.0.1'
    server.port = String(port)
    return {
      url: server.href,
      stop: async () => {
        await running.stop()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    throw error
  }
}

/** A server with a password is logged into as the one user whose it is; one without lets everybody in, whom it knows. */
function loginsOf(server, users) {
  if (server.password !== '')
    return {
      login: `user=${quoted(server.username)} password=${quoted(server.password)}`,
      auth: { auth_type: 'any' },
    }
  return {
    login: '',
    auth: { auth_type: 'trust', auth_file: users, auth_user: decodeURIComponent(server.username) },
  }
}

/** As its configuration quotes values. */
function quoted(text) {
  return `'${decodeURIComponent(text).replaceAll("'", "''")}'`
}
