import { StoreError } from '@slotkeeper/core/driver'
import type { Database, Options } from 'better-sqlite3'

/** Opens a database file with better-sqlite3. */
export type OpenDatabase = (path: string, options: Options) => Database

/** Node-API 10 came with Node.js 22.14; better-sqlite3 13 ends an older process without a word. */
const NODE_API = 10

/**
 * Loads better-sqlite3, after making sure that this Node.js survives it.
 * @throws StoreError `SLOTKEEPER_UNSUPPORTED_RUNTIME` on a Node.js that is too old or a platform without a binary
 */
export async function loadBetterSqlite(
  versions: { readonly node: string; readonly napi?: string } = process.versions,
): Promise<OpenDatabase> {
  if (!(Number(versions.napi) >= NODE_API))
    throw new StoreError(
      'SLOTKEEPER_UNSUPPORTED_RUNTIME',
      `The SQLite driver needs Node.js 22.14 or newer; this is ${versions.node}.`,
    )
  try {
    const { default: BetterSqlite } = await import('better-sqlite3')
    return (path, options) => new BetterSqlite(path, options)
  } catch (cause) {
    throw new StoreError(
      'SLOTKEEPER_UNSUPPORTED_RUNTIME',
      `better-sqlite3 cannot be loaded on ${process.platform} ${process.arch} with Node.js ${versions.node}. Reinstall the packages on this machine.`,
      cause,
    )
  }
}
