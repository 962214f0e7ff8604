// Redis, as Debian builds it, for what benchmarks are held against; it ends with this process.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { debianPrograms } from './debian-packages.mjs'
import { freePort, ownDirectory, place, serve, temporary } from './server-process.mjs'

/**
 * Starts a Redis that has every write on the disk before it answers, as PostgreSQL has.
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function startRedis() {
  const programs = await debianPrograms({
    what: 'Redis',
    folder: 'redis',
    packages: [
      'redis-server',
      'redis-tools',
      'libatomic1',
      'libjemalloc2',
      'liblzf1',
      'libssl3',
      'libsystemd0',
    ],
    bin: 'usr/bin',
    otherwise: 'Name one of yours, with appendfsync always, in BENCH_REDIS_URL.',
  })
  const directory = temporary('redis')
  const port = await freePort()
  const at = place(programs, directory)
  const data = ownDirectory(directory, 'data')
  const settings = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
  try {
    const running = await serve(at, {
      name: 'Redis',
      command: [
        join(at.bin, 'redis-server'),
        '--bind',
        '127.0.0.1',
        '--port',
        String(port),
        '--dir',
        data,
        ...settings,
      ],
      ready: /Ready to accept connections/,
      signal: 'TERM',
    })
    return {
      url: `redis://127.0.0.1:${port}`,
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
