// etcd servers of this checkout's own, on loopback and free ports, in a temporary directory; they end with this process.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { debianPrograms } from './debian-packages.mjs'
import { freePort, ownDirectory, place, serve, temporary, writeForServer } from './server-process.mjs'

/** @returns {Promise<import('./debian-packages.mjs').Programs>} */
export async function etcdPrograms() {
  const installed = (process.env.PATH ?? '').split(delimiter).find((path) => existsSync(join(path, 'etcd')))
  if (installed === '/usr/bin') return { directory: '/usr', bin: 'bin', libraries: [] }
  if (installed !== undefined) return { directory: installed, bin: '', libraries: [] }
  return debianPrograms({
    what: 'etcd',
    folder: 'etcd',
    packages: ['etcd-server'],
    bin: 'usr/bin',
    otherwise: 'Put an etcd into the PATH, or name one of yours in TEST_ETCD_ENDPOINTS.',
  })
}

/**
 * @typedef {object} EtcdMember
 * @property {string} endpoint its clients' address
 * @property {() => number} pid
 * @property {(signal?: 'SIGTERM' | 'SIGKILL') => Promise<void>} stop
 * @property {() => Promise<void>} start where it was and with what it held
 * @property {() => void} pause it stands still; connections stay open
 * @property {() => void} resume
 */

/**
 * Starts a cluster of so many members and answers once each of them serves. `flags` go before those of this file; `files` are
 * written into the cluster's directory, readable by the servers alone; `DIR` in a flag stands for that directory. Without `fsync` the members
 * answer before a write is on the disk.
 *
 * @param {import('./debian-packages.mjs').Programs} programs
 * @param {{ members?: number, fsync?: boolean, scheme?: 'http' | 'https', flags?: Record<string, string>, files?: Record<string, string>,
 *   peers?: (urls: string[]) => Promise<string[]> }} [options] `peers` puts something before the addresses under which members find each other
 * @returns {Promise<{ endpoints: string[], members: EtcdMember[], stop: () => Promise<void> }>}
 */
export async function startEtcd(
  programs,
  { members: count = 1, fsync = false, scheme = 'http', flags = {}, files = {}, peers } = {},
) {
  const directory = temporary('etcd')
  const members = []
  const stop = async () => {
    await Promise.all(members.map((member) => member.stop('SIGKILL')))
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const at = place(programs, directory)
    for (const [name, text] of Object.entries(files)) writeForServer(join(directory, name), text)
    const ports = await Promise.all(Array.from({ length: 2 * count }, freePort))
    const urls = ports.slice(count).map((port) => `http://127.0.0.1:${port}`)
    const told = peers === undefined ? urls : await peers(urls)
    const starting = urls.map((url, n) =>
      serveMember(at, {
        name: `m${n}`,
        'data-dir': ownDirectory(directory, `m${n}`),
        'listen-client-urls': `${scheme}://127.0.0.1:${ports[n]}`,
        'advertise-client-urls': `${scheme}://127.0.0.1:${ports[n]}`,
        'listen-peer-urls': url,
        'initial-advertise-peer-urls': told[n],
        'initial-cluster': told.map((peer, m) => `m${m}=${peer}`).join(','),
        logger: 'zap',
        ...pace(count),
        ...(fsync ? {} : { 'unsafe-no-fsync': 'true' }),
        ...Object.fromEntries(
          Object.entries(flags).map(([flag, value]) => [flag, value.replaceAll('DIR', directory)]),
        ),
      }),
    )
    for (const start of await Promise.allSettled(starting))
      if (start.status === 'fulfilled') members.push(start.value)
    await Promise.all(starting)
  } catch (error) {
    await stop()
    throw error
  }
  return { endpoints: members.map(({ endpoint }) => endpoint), members, stop }
}

async function serveMember(at, flags) {
  const command = [
    join(at.bin, 'etcd'),
    ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
  ]
  const start = () =>
    serve(at, {
      name: 'etcd',
      command,
      ready: /ready to serve client requests|serving (insecure )?client/i,
      signal: 'TERM',
    })
  let running = await start()
  const pid = () => pidOf(flags['data-dir'])
  const send = (signal) => {
    const found = pid()
    if (found !== undefined) process.kill(found, signal)
  }
  let isPaused = false
  const resume = () => {
    if (isPaused) send('SIGCONT')
    isPaused = false
  }
  return {
    endpoint: flags['listen-client-urls'],
    pid,
    async stop(signal = 'SIGTERM') {
      resume()
      if (signal === 'SIGKILL') send(signal)
      await running.stop()
    },
    async start() {
      running = await start()
    },
    pause() {
      isPaused = true
      send('SIGSTOP')
    },
    resume,
  }
}

/** The process that serves a data directory, which no two do. */
function pidOf(data) {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const [program, ...args] = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      // The shell that watches over it has the same arguments.
      if (program !== 'sh' && args.includes(`--data-dir=${data}`)) return Number(name)
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error // it has ended meanwhile
    }
  }
  return undefined
}

/** One member has nobody to wait for when it starts. Several on a busy machine must not take each other for dead: as etcd has it. */
function pace(count) {
  return count === 1
    ? { 'heartbeat-interval': '30', 'election-timeout': '300' }
    : { 'heartbeat-interval': '100', 'election-timeout': '1000' }
}
