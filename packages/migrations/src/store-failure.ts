import {
  InternalError,
  InvalidArgumentError,
  isSlotkeeperError,
  type SlotkeeperError,
  StoreError,
} from '@slotkeeper/core'
import { codeOf, meaningOf } from './connection/failure-meanings.ts'

/**
 * A failure of a statement of ours, or of the connection, with the code that says which: what was being done, what is wrong, which setting
 * to look at, and what the server said. Errors of Slotkeeper stay as they are. It holds no password, since none of its sources has one.
 */
export function storeFailure(thrown: unknown, doing: string): SlotkeeperError {
  const error = unwrapped(thrown)
  if (isSlotkeeperError(error)) return error
  const text = messageOf(error)
  if (/^Cannot use a pool after calling end/.test(text))
    return new InvalidArgumentError(`${doing}: the pool was ended. Give one that is open.`)
  const state = sqlStateOf(error)
  const told = `${doing}: ${text.replace(/\.$/, '')}${state === undefined ? '' : ` (${state})`}.`
  const meaning = meaningOf(error, state, text)
  if (meaning === undefined) return new InternalError(told, error)
  return new StoreError(meaning[0], `${told} ${meaning[1]}`, error)
}

/** An error that only carries another one says the same as that one. */
function unwrapped(error: unknown): unknown {
  const { cause } = (error ?? {}) as { cause?: unknown }
  return cause instanceof Error && messageOf(cause) === messageOf(error) ? cause : error
}

/** PostgreSQL's code of an error, when PostgreSQL sent it. */
export function sqlStateOf(error: unknown): string | undefined {
  const { severity } = (error ?? {}) as { severity?: unknown }
  return severity === undefined ? undefined : codeOf(error)
}

/** Whether the connection is gone, or the server is going. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === undefined || state.startsWith('08') || /^(57P0[1-5]|25P03)$/.test(state)
}

/** An error for several addresses of one host has no message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return [...new Set(error.errors.map((one) => messageOf(one)))].join('; ')
  return error instanceof Error ? error.message : String(error)
}
