import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { onTestFinished } from 'vitest'

/** PostgreSQL refuses to run as root. */
const NOBODY = 65534
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'fsync=off',
]

/** A server of one test's own, which may be stopped, killed and paused. It ends with the test. */
export class OwnServer {
  readonly url: string
  readonly #bin: string
  readonly #data: string
  readonly #port: number
  #process: ChildProcess | undefined

  private constructor(bin: string, data: string, port: number) {
    this.#bin = bin
    this.#data = data
    this.#port = port
    this.url = `postgresql://postgres@127.0.0.1:${port}/postgres`
  }

  static async start(): Promise<OwnServer> {
    const bin = process.env.TEST_POSTGRES_BIN
    if (bin === undefined)
      throw new Error(process.env.TEST_POSTGRES_15_PROBLEM ?? 'Run these tests by npm test.')
    const directory = mkdtempSync(join(tmpdir(), 'slotkeeper-own-postgres-'))
    chmodSync(directory, 0o755)
    const data = join(directory, 'data')
    mkdirSync(data, { mode: 0o700 })
    if (asRoot()) chownSync(data, NOBODY, NOBODY)
    const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-N', '--locale=C', '-E', 'UTF8']
    execFileSync(join(bin, 'initdb'), args, { ...ids(), env: environment(), cwd: directory, stdio: 'ignore' })
    const server = new OwnServer(bin, data, await freePort())
    onTestFinished(async () => {
      await server.stop('SIGQUIT')
      rmSync(directory, { recursive: true, force: true })
    })
    await server.run()
    return server
  }

  /** Runs it; resolves when it answers. */
  async run(): Promise<void> {
    const args = ['-D', this.#data, '-p', String(this.#port), ...SETTINGS.flatMap((one) => ['-c', one])]
    this.#process = spawn(join(this.#bin, 'postgres'), args, {
      ...ids(),
      env: environment(),
      cwd: this.#data,
      stdio: 'ignore',
    })
    await this.answers()
  }

  /** Resolves when it answers queries. */
  async answers(): Promise<void> {
    for (;;) {
      const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 2000 })
      client.on('error', () => undefined) // tried again
      try {
        await client.connect()
        await client.query('SELECT 1')
        return
      } catch {
        await sleep(20)
      } finally {
        await client.end().catch(() => undefined)
      }
    }
  }

  /** Ends it: `SIGINT` fast, `SIGQUIT` at once. */
  async stop(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const running = this.#process
    if (running === undefined || running.exitCode !== null) return
    this.resume()
    this.#process = undefined
    const ended = once(running, 'exit')
    running.kill(signal)
    await ended
  }

  /** Kills one of its processes that serve somebody, upon which it throws out everybody and recovers. */
  async crash(): Promise<void> {
    const [row] = await this.ask(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1",
    )
    if (row !== undefined) signal(Number(row.pid), 'SIGKILL')
    await this.answers()
  }

  /** Ends every connection but the one that does it. */
  async terminateAll(): Promise<void> {
    await this.ask(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    )
  }

  /** All of it stands still; connections stay open. */
  pause(): void {
    for (const pid of this.#pids()) signal(pid, 'SIGSTOP')
  }

  resume(): void {
    for (const pid of this.#pids()) signal(pid, 'SIGCONT')
  }

  async ask(text: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.url })
    client.on('error', () => undefined) // told by the query
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }

  /** Its first process, and those that this one has started. */
  #pids(): number[] {
    const first = this.#process?.pid
    if (first === undefined) return []
    const children = readdirSync('/proc').filter((name) => {
      if (!/^\d+$/.test(name)) return false
      try {
        return readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(first)
      } catch {
        return false // it has ended meanwhile
      }
    })
    return [first, ...children.map(Number)]
  }
}

/** Of a server that is left half paused nothing is heard again, so a process that has ended meanwhile must not keep the others from it. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function asRoot(): boolean {
  return process.getuid?.() === 0
}

function ids() {
  return asRoot() ? { uid: NOBODY, gid: NOBODY } : {}
}

function environment() {
  const { PATH, TEST_POSTGRES_LIBRARIES: libraries } = process.env
  return { PATH, LC_ALL: 'C', TZ: 'UTC', ...(libraries && { LD_LIBRARY_PATH: libraries }) }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
