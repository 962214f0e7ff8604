import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { postgresPrograms } from '../../../../scripts/postgres-programs.mjs'
import { type PostgresServer, startPostgres } from '../../../../scripts/postgres-server.mjs'
import { ids, ownDirectory, temporary } from '../../../../scripts/server-process.mjs'
import { fillUp, mountSmallDisk } from '../../../../scripts/small-disk.mjs'

/** A database that can be out of room. */
export interface SmallDisk {
  readonly url: string
  fill(): void
  unfill(): void
}

/** A server of one test's own, which may be stopped, killed and paused. It ends with the test. */
export class OwnServer {
  readonly url: string
  readonly #server: PostgresServer
  #paused: readonly number[] = []

  private constructor(server: PostgresServer) {
    this.#server = server
    this.url = server.url
  }

  static async start(settings: Readonly<Record<string, string>> = {}): Promise<OwnServer> {
    const { servers, stop } = await startPostgres(await postgresPrograms('15'), { settings })
    const server = new OwnServer(servers[0] as PostgresServer)
    onTestFinished(async () => {
      server.resume()
      await stop()
    })
    return server
  }

  /** A server and its standby, which has every commit that was answered. */
  static async startWithStandby(): Promise<{ readonly primary: OwnServer; readonly standby: OwnServer }> {
    const { servers, stop } = await startPostgres(await postgresPrograms('15'), { standby: 'following' })
    onTestFinished(stop)
    const [primary, standby] = servers.map((server) => new OwnServer(server))
    return { primary: primary as OwnServer, standby: standby as OwnServer }
  }

  /** Makes a standby the server that takes writes. */
  async promote(): Promise<void> {
    await this.#ask('SELECT pg_promote()')
  }

  /** Ends it: `SIGINT` fast, `SIGQUIT` at once, `SIGKILL` without a word to anybody. */
  async stop(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> {
    const processes = signal === 'SIGKILL' ? childrenOf(await this.#first()) : []
    await this.#server.stop(signal)
    // They find out for themselves that they are alone, and hold on to the memory that they share until then.
    while (processes.some(isThere)) await sleep(20)
  }

  /** Ends it and starts it again later. */
  async restart(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL', afterMs: number): Promise<void> {
    await this.stop(signal)
    await sleep(afterMs)
    await this.#server.start()
  }

  /** A database whose tables are on a disk that can be filled up; nothing where this process may not mount one. */
  async onSmallDisk(): Promise<SmallDisk | undefined> {
    const directory = temporary('disk')
    const place = ownDirectory(directory, 'tables')
    const unmount = mountSmallDisk(place, { megabytes: 64, ...(ids.uid !== undefined && { owner: ids.uid }) })
    onTestFinished(() => {
      unmount?.()
      rmSync(directory, { recursive: true, force: true })
    })
    if (unmount === undefined) return undefined
    await this.#ask(`CREATE TABLESPACE small LOCATION '${place}'`)
    await this.#ask('CREATE DATABASE small TABLESPACE small TEMPLATE template0')
    const url = new URL(this.url)
    url.pathname = '/small'
    const filler = join(place, 'filler')
    return { url: url.href, fill: () => fillUp(filler), unfill: () => rmSync(filler, { force: true }) }
  }

  /** Takes every connection that it gives, and holds them for so long. */
  async crowd(ms: number): Promise<void> {
    const clients: pg.Client[] = []
    try {
      for (;;) clients.push(await this.#connect())
    } catch {
      // It is full.
      await sleep(ms)
    } finally {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
    }
  }

  /** Kills one of its processes that serves somebody, upon which it throws out everybody, and recovers. */
  async crash(): Promise<void> {
    const [victim, witness] = [await this.#connect(), await this.#connect()]
    const thrownOut = new Promise((resolve) => witness.once('end', resolve))
    const { rows } = await victim.query('SELECT pg_backend_pid() AS pid')
    send(Number(rows[0].pid), 'SIGKILL')
    // It goes on answering until it has noticed.
    await thrownOut
    await this.answers()
  }

  /** Ends every connection but the one that does it. */
  async terminateAll(): Promise<void> {
    await this.#ask(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    )
  }

  /** All of it stands still; connections stay open. */
  async pause(): Promise<void> {
    const first = await this.#first()
    this.#paused = [first, ...childrenOf(first)]
    for (const pid of this.#paused) send(pid, 'SIGSTOP')
  }

  resume(): void {
    for (const pid of this.#paused) send(pid, 'SIGCONT')
    this.#paused = []
  }

  /** Resolves when it answers queries. */
  async answers(): Promise<void> {
    for (;;)
      try {
        await this.#ask('SELECT 1')
        return
      } catch {
        await sleep(20) // it is recovering
      }
  }

  async #first(): Promise<number> {
    const [row] = await this.#ask("SELECT pg_read_file('postmaster.pid') AS file")
    return Number(String(row?.file).split('\n')[0])
  }

  async #ask(text: string): Promise<Record<string, unknown>[]> {
    const client = await this.#connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 2000 })
    client.on('error', () => undefined) // told by the query, or by the end
    try {
      await client.connect()
      return client
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
  }
}

/** Of a server that is left half paused nothing is heard again, so a process that has ended meanwhile must not keep the others from it. */
function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => {
      if (!/^\d+$/.test(name)) return false
      try {
        return readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(parent)
      } catch {
        return false // it has ended meanwhile
      }
    })
    .map(Number)
}
