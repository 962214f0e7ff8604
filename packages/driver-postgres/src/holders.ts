import { type HolderId, HolderLostError, type HolderTerm, InternalError } from '@slotkeeper/core/driver'
import type { Connections } from './connections.ts'
import type { Row, Step } from './flight.ts'
import type { Statement, Statements } from './statements.ts'

/** What the methods below need of their driver. */
export interface Keeping {
  readonly connections: Connections
  readonly sql: Statements
  readonly lockTimeoutMs: number
}

/** Runs statements, as they are described in `statements.ts`, in one transaction and one round trip; answers the rows of the last. */
export async function ask(
  { connections, sql, lockTimeoutMs }: Keeping,
  steps: readonly Step[],
  signal: AbortSignal | undefined,
): Promise<readonly Row[]> {
  const settings = { statement: sql.settings, values: [String(lockTimeoutMs), '0'] }
  const answers = await connections.send([settings, ...steps], signal)
  return answers.at(-1) as readonly Row[]
}

/** Makes a new live holder. */
export async function openHolder(
  keeping: Keeping,
  holder: HolderId,
  ttlMs: number,
  signal: AbortSignal | undefined,
): Promise<HolderTerm> {
  const values = [holder, String(ttlMs)]
  const [row] = await ask(keeping, [{ statement: keeping.sql.openHolder, values }], signal)
  if (row === undefined) throw new InternalError(`Holder ${holder} was not made.`)
  return termOf(row)
}

/** @throws HolderLostError for a holder that is dead, overdue or unknown */
export async function heartbeat(
  keeping: Keeping,
  holder: HolderId,
  signal: AbortSignal | undefined,
): Promise<HolderTerm> {
  const [row] = await ask(keeping, [{ statement: keeping.sql.heartbeat, values: [holder] }], signal)
  if (row === undefined) throw new HolderLostError(holder)
  return termOf(row)
}

export async function closeHolder(
  keeping: Keeping,
  holder: HolderId,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { lockHolder, closeHolder: close } = keeping.sql
  const step = (statement: Statement): Step => ({ statement, values: [holder] })
  await ask(keeping, [step(lockHolder), step(close)], signal)
}

function termOf([now, ttlMs, epoch, sweep]: Row): HolderTerm {
  return { now: Number(now), ttlMs: Number(ttlMs), epoch: Number(epoch), sweep: sweep === 't' }
}
