import type { Case } from '../../harness/case.ts'
import { deepQueue } from './deep-queue.ts'
import { contended, holding } from './hot.ts'
import { leases } from './leases.ts'
import { pairs } from './pairs.ts'
import { watchers } from './watchers.ts'
import { writes } from './writes.ts'

/** The etcd driver, on one member that has every write on the disk before it answers. */
export const cases: readonly Case[] = [pairs, holding, contended, deepQueue, leases, watchers, writes]
