import { postgresPrograms } from '../../../../scripts/postgres-programs.mjs'
import { startPostgres } from '../../../../scripts/postgres-server.mjs'
import type { Server } from './servers.ts'

/** What a server is started with: its settings, and files in its data directory, such as `pg_hba.conf`. */
export interface OwnServerOptions {
  readonly settings?: Record<string, string>
  readonly files?: Record<string, string>
}

/** A server that can be stopped and started again. */
export interface OwnServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
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
  const [{ url, stop, start }] = servers as [(typeof servers)[number]]
  return { url, port: Number(new URL(url).port), stop, start, [Symbol.asyncDispose]: remove }
}
