import { accessSync, constants, type Stats, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreError } from '@slotkeeper/core/driver'

/**
 * Looks, without opening anything, whether the file can be one that this process writes.
 * @returns its size, 0 where there is none yet
 * @throws StoreError `SLOTKEEPER_STORE_PERMISSION`, `SLOTKEEPER_STORE_READ_ONLY` or `SLOTKEEPER_STORE_FOREIGN`
 */
export function inspectPlace(path: string): number {
  const directory = dirname(path)
  const above = look(directory, `The directory ${directory} of the store`)
  if (above === undefined)
    throw new StoreError(
      'SLOTKEEPER_STORE_PERMISSION',
      `The directory ${directory} of the store does not exist. Create it, or name another one.`,
    )
  if (!above.isDirectory())
    throw new StoreError(
      'SLOTKEEPER_STORE_PERMISSION',
      `${directory} is not a directory, so the store ${path} cannot be in it.`,
    )
  const file = look(path, `The store ${path}`)
  if (file?.isDirectory())
    throw new StoreError(
      'SLOTKEEPER_STORE_PERMISSION',
      `The store ${path} is a directory. Name a file, for example ${path}/slots.db.`,
    )
  if (file !== undefined && !file.isFile())
    throw new StoreError(
      'SLOTKEEPER_STORE_FOREIGN',
      `The store ${path} is not a regular file. Name another one.`,
    )
  if (file !== undefined)
    mustWrite(path, `The store ${path} cannot be written. Give this process write access to it.`)
  mustWrite(
    directory,
    `The directory ${directory} cannot be written, and SQLite keeps files beside the store. Give this process write access to it.`,
  )
  return file?.size ?? 0
}

/** The size of a file, 0 where there is none. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function look(path: string, what: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (cause) {
    throw new StoreError(
      'SLOTKEEPER_STORE_PERMISSION',
      `${what} cannot be reached: ${(cause as Error).message}. Grant this process access to it.`,
      cause,
    )
  }
}

function mustWrite(path: string, message: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
  } catch (cause) {
    throw new StoreError('SLOTKEEPER_STORE_READ_ONLY', message, cause)
  }
}
