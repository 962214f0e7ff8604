import type { Case } from '../../harness/case.ts'
import { deepQueue, deepQueuePlannedEmpty } from './deep-queue.ts'
import { history } from './history.ts'
import { holding, hot, split } from './hot.ts'
import { openTransaction } from './open-transaction.ts'
import { jobs, pairs } from './pairs.ts'
import { writes } from './writes.ts'

/** The PostgreSQL driver, on a server with `fsync` and `synchronous_commit`. */
export const cases: readonly Case[] = [
  ...[pairs, jobs, hot, holding, split, openTransaction],
  ...[deepQueue, deepQueuePlannedEmpty, history, writes],
]
