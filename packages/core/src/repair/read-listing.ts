import { within } from '../call-options.ts'
import type { Clock } from '../clock.ts'
import { ListingFailedError } from '../errors.ts'
import type { ActualRun } from './actual-run.ts'

/**
 * Reads a listing in pieces, so that one of any length needs little memory.
 * @throws ListingFailedError when the listing throws; the reason of a signal that aborts
 */
export async function* readListing(
  actual: AsyncIterable<ActualRun>,
  size: number,
  clock: Clock,
  signals: readonly (AbortSignal | undefined)[],
): AsyncGenerator<readonly ActualRun[]> {
  let listed = 0
  let piece: ActualRun[] = []
  let over = false
  const iterator = start(actual)
  const next = async () => {
    try {
      return await iterator.next()
    } catch (error) {
      over = true
      throw new ListingFailedError(listed, error)
    }
  }
  try {
    for (;;) {
      const { done, value } = await within(next(), {
        clock,
        ms: Number.POSITIVE_INFINITY,
        expired: () => undefined,
        signals,
      })
      if (done === true) break
      listed++
      piece.push(value)
      if (piece.length < size) continue
      yield piece
      piece = []
    }
    over = true
    if (piece.length > 0) yield piece
  } finally {
    // A listing that hangs must not hold up whoever gave up on it.
    if (!over) Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

function start(actual: AsyncIterable<ActualRun>): AsyncIterator<ActualRun> {
  try {
    return actual[Symbol.asyncIterator]()
  } catch (error) {
    throw new ListingFailedError(0, error)
  }
}
