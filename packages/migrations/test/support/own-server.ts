import { postgresPrograms } from '../../../../scripts/postgres-programs.mjs'
import { startPostgres } from '../../../../scripts/postgres-server.mjs'
import type { Server } from './servers.ts'

/** What a server is started with: its settings, and files in its data directory, such as `pg_hba.conf`. */
export interface OwnServerOptions {
  readonly settings?: Record<string, string>
  readonly files?: Record<string, string>
}

/** A server of a test's own, for what no server of somebody else's could be made to do. It is gone when it is disposed of. */
export async function ownServer(
  version: Server['version'],
  options: OwnServerOptions,
): Promise<AsyncDisposable & { readonly url: string; readonly port: number }> {
  const { urls, stop } = await startPostgres(await postgresPrograms(version), options)
  const url = urls[0] as string
  return { url, port: Number(new URL(url).port), [Symbol.asyncDispose]: stop }
}
