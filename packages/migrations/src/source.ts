import { SlotkeeperError } from '@slotkeeper/core'
import { readFiles, watchDirectory } from '@slotkeeper/core/node'
import type { MigrationFile } from './migration.ts'

/** Where migrations come from. */
export interface MigrationSource {
  /** For messages: `the directory /migrations`. */
  readonly description: string
  /**
   * All files there are now, in any order.
   * @throws SlotkeeperError (`SLOTKEEPER_MIGRATION_SOURCE_UNREADABLE`, `SLOTKEEPER_MIGRATION_SOURCE_INVALID`)
   */
  read(options?: { readonly signal?: AbortSignal }): Promise<readonly MigrationFile[]>
  /**
   * Gives a turn once at the beginning and whenever `read` may answer something else than before; a turn too many does no harm.
   * Ends when the signal aborts. A source that never changes has none.
   */
  changes?(options: { readonly signal: AbortSignal }): AsyncIterable<unknown>
}

/** How a directory is watched. */
export interface DirectorySourceOptions {
  /** How long until the next look when the system told of no change, in ms. Default 30,000. */
  readonly pollMs?: number
  /** What messages call it besides its path, such as the namespace and the name of a ConfigMap. Default: nothing. */
  readonly name?: string
}

/** Files in a directory for each schema: `<path>/<schema>/<number>_<name>.sql`. Files that do not end with `.sql` are left out. */
export function directorySource(path: string, options: DirectorySourceOptions = {}): MigrationSource {
  return filesSource(`the directory ${path}`, path, options, (file) => file)
}

/**
 * A mounted ConfigMap, whose keys cannot contain a slash: `<path>/<schema>_<number>_<name>.sql`. The schema ends before the first
 * `_<digits>_`. Keys that do not end with `.sql` are left out.
 */
export function configMapSource(path: string, options: DirectorySourceOptions = {}): MigrationSource {
  const { name } = options
  return filesSource(
    `the ConfigMap ${name === undefined ? '' : `${name} `}mounted at ${path}`,
    path,
    options,
    (file) => file.replace(/_(?=\d+_)/, '/'),
  )
}

/** Files that a program brings along. */
export function listSource(files: readonly MigrationFile[]): MigrationSource {
  return { description: 'the list of migrations', read: async () => files }
}

function filesSource(
  description: string,
  path: string,
  options: DirectorySourceOptions,
  toPath: (name: string) => string,
): MigrationSource {
  return {
    description,
    async read({ signal } = {}) {
      try {
        const files = await readFiles(path, signal === undefined ? {} : { signal })
        return [...files].flatMap(([name, content]) =>
          name.endsWith('.sql') ? [{ path: toPath(name), content }] : [],
        )
      } catch (error) {
        signal?.throwIfAborted()
        throw new SlotkeeperError(
          'SLOTKEEPER_MIGRATION_SOURCE_UNREADABLE',
          `The migrations cannot be read from ${description}: ${error instanceof Error ? error.message : error}`,
          { cause: error },
        )
      }
    },
    changes: ({ signal }) =>
      watchDirectory(path, { signal, ...(options.pollMs !== undefined && { pollMs: options.pollMs }) }),
  }
}
