import { postgresPrograms } from '../../../../scripts/postgres-programs.mjs'
import { type PostgresServer, startPostgres } from '../../../../scripts/postgres-server.mjs'
import { type Server, sql } from './servers.ts'

/** What a server is started with: its settings, and files in its data directory, such as `pg_hba.conf`. */
export interface OwnServerOptions {
  readonly settings?: Record<string, string>
  readonly files?: Record<string, string>
  /** A second one beside it that follows it and only reads, until it is promoted. Default false. */
  readonly standby?: boolean
}

/** A server that can be stopped and started again. */
export interface OwnServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Where the standby is. */
  readonly standbyUrl: string | undefined
  /** `SIGQUIT` is a crash. */
  stop(signal?: 'SIGINT' | 'SIGQUIT'): Promise<void>
  /** Again, with what it held and on the same port. */
  start(): Promise<void>
}

/** A server of a test's own, for what no server of somebody else's could be made to do. It is gone when it is disposed of. */
export async function ownServer(
  version: Server['version'],
  options: OwnServerOptions = {},
): Promise<OwnServer> {
  const { servers, stop: remove } = await startPostgres(await postgresPrograms(version), options)
  const [{ url, stop, start }, standby] = servers as [PostgresServer, PostgresServer?]
  const { port } = new URL(url)
  if (standby !== undefined) {
    await sql(standby.url, `ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=${port} user=postgres'`)
    await sql(standby.url, 'SELECT pg_reload_conf()')
  }
  const standbyUrl = standby?.url
  return { url, standbyUrl, port: Number(port), stop, start, [Symbol.asyncDispose]: remove }
}
