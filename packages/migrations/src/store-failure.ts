import { isSlotkeeperError, type SlotkeeperError, StoreError } from '@slotkeeper/core'

type Code = ConstructorParameters<typeof StoreError>[0]

/** By the code that PostgreSQL gives, the longest beginning first. Whatever is not listed has to do with the connection. */
const CODES: readonly (readonly [string, Code])[] = [
  ['25006', 'SLOTKEEPER_STORE_READ_ONLY'],
  ['42501', 'SLOTKEEPER_STORE_PERMISSION'],
  ['3D000', 'SLOTKEEPER_STORE_PERMISSION'],
  ['55P03', 'SLOTKEEPER_STORE_BUSY'],
  ['53100', 'SLOTKEEPER_STORE_FULL'],
  ['28', 'SLOTKEEPER_STORE_PERMISSION'],
  ['08', 'SLOTKEEPER_STORE_UNAVAILABLE'],
  ['53', 'SLOTKEEPER_STORE_UNAVAILABLE'],
  ['57', 'SLOTKEEPER_STORE_UNAVAILABLE'],
]

/** A failure of a statement of ours, or of the connection, with the code that says which. Errors of Slotkeeper stay as they are. */
export function storeFailure(error: unknown, what: string): SlotkeeperError {
  if (isSlotkeeperError(error)) return error
  const state = sqlStateOf(error)
  const code =
    state === undefined
      ? 'SLOTKEEPER_STORE_UNAVAILABLE'
      : (CODES.find(([beginning]) => state.startsWith(beginning))?.[1] ?? 'SLOTKEEPER_STORE_FOREIGN')
  return new StoreError(code, `${what}: ${messageOf(error)}`, error)
}

/** PostgreSQL's code of an error, when PostgreSQL sent it. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, severity } = error as { code?: unknown; severity?: unknown }
  return typeof code === 'string' && severity !== undefined ? code : undefined
}

/** Whether the connection is gone, or the server is going. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === undefined || state.startsWith('08') || /^57P0[1-5]$/.test(state)
}

/** An error for several addresses of one host has no message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return [...new Set(error.errors.map((one) => messageOf(one)))].join('; ')
  return error instanceof Error ? error.message : String(error)
}
