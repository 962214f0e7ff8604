import { createHash } from 'node:crypto'
import { atOnceStatements } from './statements/at-once.ts'
import { changesStatements } from './statements/changes.ts'
import { fragmentsOf } from './statements/fragments.ts'
import { holdersStatements } from './statements/holders.ts'
import { loadStatements } from './statements/load.ts'
import { readStatements } from './statements/read.ts'
import { sessionStatements } from './statements/session.ts'
import { sweepStatements } from './statements/sweep.ts'
import { tellingStatements } from './statements/telling.ts'

/** A text that is sent, under a name by which a connection prepares it once. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** The statements of a driver, by name. */
export type Statements = ReturnType<typeof statementsOf>

/**
 * Every statement of the driver, for one schema; their texts are in `statements/`, by subject. Every name is qualified, and `settings` was
 * said before each of them, so that neither a `search_path` nor a planner setting of the role or the database changes what they mean or how
 * they run.
 *
 * **Locks**, in this order, which is the same everywhere:
 * 1. `lockDomain`, `tryLockDomains`: an advisory lock of the transaction for each domain; only one is ever waited for. All decisions of a
 *    domain follow one another by it.
 * 2. rows of runs: `loadOverdue` locks what it gives and skips what somebody's transaction pins (`assertHeld`); `mustNotBePinned` locks
 *    what will change and fails at once over a pinned one. Neither ever waits.
 * 3. rows of holders, sorted: those who get a slot shared (`FOR KEY SHARE`, which lets heartbeats pass), those who lose one or die
 *    exclusively. Who is to die waits for the grants under way, and who is to get a slot for the deaths.
 * 4. what is written.
 *
 * What is decided at once (`statements/at-once.ts`) waits for the row of a holder at most, and has no other lock while it does.
 *
 * **Clocks**: only the server's. What loads are statements of their own after the lock, so that their snapshots and their clock are later
 * than every commit that held it, and a domain stays as it is from the first of them to the last; only holders may be heard of meanwhile.
 * What is decided at once goes by two rows that a commit could have changed meanwhile, the repository's and the slot's, and locks the newest
 * of them.
 *
 * **Plans**: each is made once for all parameters, with sorts and scans of whole tables ruled out. What is read by a part of an index says
 * the order of that index, so that no other one will do; what is looked up by its key is so for each row that names it; and what was found
 * is changed where it was found. So the plan is the same whatever the planner knew of the tables at that moment.
 */
export function statementsOf(schema: string) {
  const fragments = fragmentsOf(schema)
  return named({
    ...sessionStatements(fragments),
    ...loadStatements(fragments),
    ...atOnceStatements(fragments),
    ...changesStatements(fragments),
    ...tellingStatements(fragments),
    ...holdersStatements(fragments),
    ...sweepStatements(fragments),
    ...readStatements(fragments),
  })
}

/** The name holds a digest of the text: behind a pooler, a connection may have been prepared by another release. */
function named<T extends Readonly<Record<string, string>>>(texts: T): { readonly [K in keyof T]: Statement } {
  const entries = Object.entries(texts).map(([name, text]) => {
    const digest = createHash('sha256').update(text).digest('hex').slice(0, 12)
    return [name, { name: `slotkeeper_${name}_${digest}`, text }]
  })
  return Object.fromEntries(entries)
}
