// etcd servers of this checkout's own, on loopback and free ports, in a temporary directory; they end with this process.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { debianPrograms } from './debian-packages.mjs'
import {
  freePort,
  place as inPlace,
  ownDirectory,
  runToEnd,
  serve,
  temporary,
  writeForServer,
} from './server-process.mjs'

/** @returns {Promise<import('./debian-packages.mjs').Programs>} */
export function etcdPrograms() {
  return programsOf(
    'etcd',
    'etcd-server',
    'Put an etcd into the PATH, or name one of yours in TEST_ETCD_ENDPOINTS.',
  )
}

/** The command of operators. */
function etcdctlPrograms() {
  return programsOf('etcdctl', 'etcd-client', 'Put an etcdctl into the PATH.')
}

/** @returns {Promise<import('./debian-packages.mjs').Programs>} */
async function programsOf(what, debian, otherwise) {
  const installed = (process.env.PATH ?? '').split(delimiter).find((path) => existsSync(join(path, what)))
  if (installed === '/usr/bin') return { directory: '/usr', bin: 'bin', libraries: [] }
  if (installed !== undefined) return { directory: installed, bin: '', libraries: [] }
  return debianPrograms({ what, folder: what, packages: [debian], bin: 'usr/bin', otherwise })
}

/**
 * @typedef {object} EtcdMember
 * @property {string} endpoint its clients' address
 * @property {() => number} pid
 * @property {(signal?: 'SIGTERM' | 'SIGKILL') => Promise<void>} stop
 * @property {() => Promise<void>} start where it was and with what it held
 * @property {() => void} pause it stands still; connections stay open
 * @property {() => void} resume
 * @property {() => Promise<string>} backUp by etcdctl; answers the file
 * @property {(backup: string) => Promise<void>} restore what the only member of a cluster held, by etcdctl: it is killed, and starts anew with the backup
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
    const at = inPlace(programs, directory)
    for (const [name, text] of Object.entries(files)) writeForServer(join(directory, name), text)
    const ports = await Promise.all(Array.from({ length: 2 * count }, freePort))
    const urls = ports.slice(count).map((port) => `http://127.0.0.1:${port}`)
    const told = peers === undefined ? urls : await peers(urls)
    const starting = urls.map((url, n) =>
      serveMember(at, {
        name: `m${n}`,
        'data-dir': join(ownDirectory(directory, `m${n}`), 'data'),
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
  const etcdctl = async (...args) => {
    const { bin, ...place } = inPlace(await etcdctlPrograms(), at.cwd)
    await runToEnd(place, [join(bin, 'etcdctl'), ...args])
  }
  let backups = 0
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
    async backUp() {
      const file = join(dirname(flags['data-dir']), `backup-${backups++}`)
      await etcdctl(`--endpoints=${flags['listen-client-urls']}`, 'snapshot', 'save', file)
      return file
    },
    async restore(backup) {
      send('SIGKILL')
      await running.stop()
      rmSync(flags['data-dir'], { recursive: true })
      const same = ['name', 'data-dir', 'initial-cluster', 'initial-advertise-peer-urls']
      await etcdctl('snapshot', 'restore', backup, ...same.map((flag) => `--${flag}=${flags[flag]}`))
      running = await start()
    },
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
