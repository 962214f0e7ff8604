import type { Case } from '../../harness/case.ts'
import { deepQueue } from './deep-queue.ts'
import { contended, holding } from './hot.ts'
import { pairs } from './pairs.ts'

/** The etcd driver, on one member that has every write on the disk before it answers. */
export const cases: readonly Case[] = [pairs, holding, contended, deepQueue]
