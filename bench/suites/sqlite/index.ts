import type { Case } from '../../harness/case.ts'
import { deepQueue } from './deep-queue.ts'
import { full, normal } from './pairs-against-inserts.ts'
import { shared, sharedNormal } from './shared.ts'
import { writes } from './writes.ts'

/** The SQLite driver, on one machine. */
export const cases: readonly Case[] = [normal, full, deepQueue, writes, shared, sharedNormal]
