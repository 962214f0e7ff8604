import { existsSync, mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Driver } from '@slotkeeper/core'
import { isSlotkeeperError, StoreError } from '@slotkeeper/core'
import { ExitError } from '../exit-error.ts'
import { defaultStorePath } from './default-store.ts'
import { readEtcdAddress } from './etcd-address.ts'

/** A store that a command line names. */
export interface Store {
  readonly driver: Driver
  /** How to name it again. Never holds a secret. */
  readonly name: string
}

const HOW =
  'Write --store sqlite:PATH, --store postgresql://USER@HOST/DATABASE or --store etcd://HOST:PORT, or leave it out.'

/**
 * Finds the driver for the text of `--store` or of `SLOTKEEPER_STORE`; without either the user's own file, whose directory is made
 * when `make` is set. The store itself is opened by the Manager.
 * @throws ExitError for a text that names no store of this release; it never repeats more of the text than its scheme
 * @throws StoreError `SLOTKEEPER_SCHEMA_MISSING` when there is no file and `make` is not set; `SLOTKEEPER_STORE_PERMISSION`
 */
export async function openStore(
  given: string | undefined,
  { make, env = process.env }: { readonly make: boolean; readonly env?: NodeJS.ProcessEnv },
): Promise<Store> {
  const text = given ?? (env.SLOTKEEPER_STORE || undefined)
  if (text === undefined) {
    const path = defaultStorePath(env)
    if (make) makeDirectory(dirname(path))
    return sqliteStore(path, make)
  }
  const where = given === undefined ? 'SLOTKEEPER_STORE' : '--store'
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(text) ?? []
  switch (scheme.toLowerCase()) {
    case 'sqlite':
      return sqliteStore(pathOf(rest, where), make)
    case 'postgres':
    case 'postgresql':
      return await postgresStore(text, where)
    case 'memory':
      throw new ExitError(
        `${where} is memory:, which would limit nothing: every slotkeeper has a memory of its own. ${HOW}`,
      )
    case 'etcd':
      return await etcdStore(text, where, env)
    case '':
      throw new ExitError(`${where} does not begin with the kind of store, such as sqlite:. ${HOW}`)
    default:
      throw new ExitError(`${where} begins with ${scheme}:, and there is no such kind of store. ${HOW}`)
  }
}

async function sqliteStore(path: string, make: boolean): Promise<Store> {
  const name = `sqlite:${resolve(path)}`
  if (!make && !existsSync(path))
    throw new StoreError(
      'SLOTKEEPER_SCHEMA_MISSING',
      `There is no store ${name} yet. 'slotkeeper run' makes it.`,
    )
  const { sqliteDriver } = await import('@slotkeeper/driver-sqlite')
  return { driver: sqliteDriver({ path }), name }
}

/** Whether there is a store is seen when it is opened. */
async function postgresStore(connectionString: string, where: string): Promise<Store> {
  const [{ postgresDriver }, { addressOf }] = await Promise.all([
    import('@slotkeeper/driver-postgres'),
    import('@slotkeeper/migrations/connection'),
  ])
  try {
    const name = addressOf({ connectionString })
    return { driver: postgresDriver({ connectionString }), name }
  } catch (error) {
    if (!isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT')) throw error
    throw new ExitError(`${where} cannot be used. ${error.message}`)
  }
}

/** Whether there is a store is seen when it is opened. */
async function etcdStore(text: string, where: string, env: NodeJS.ProcessEnv): Promise<Store> {
  const { name, ...options } = readEtcdAddress(text, where, env)
  const { etcdDriver } = await import('@slotkeeper/driver-etcd')
  try {
    return { driver: etcdDriver(options), name }
  } catch (error) {
    if (!isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT')) throw error
    throw new ExitError(`${where} cannot be used. ${error.message}`)
  }
}

/** `sqlite:slots.db`, `sqlite:/var/slots.db`, and the same as a URL without a host: `sqlite:///var/slots.db`. */
function pathOf(rest: string, where: string): string {
  const path = rest.startsWith('///') ? rest.slice(2) : rest
  if (path === '') throw new ExitError(`${where} is sqlite: without a file. ${HOW}`)
  if (path.startsWith('//'))
    throw new ExitError(`${where} names a host behind sqlite://, and SQLite has none. Write sqlite:PATH.`)
  return path
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new StoreError(
      'SLOTKEEPER_STORE_PERMISSION',
      `The directory ${directory} of the store cannot be made: ${(cause as Error).message}. Name another store with --store sqlite:PATH.`,
      cause,
    )
  }
}
