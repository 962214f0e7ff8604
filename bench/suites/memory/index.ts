import type { Case } from '../../harness/case.ts'
import { bytes } from './bytes.ts'
import { contended } from './contended.ts'
import { deepQueue } from './deep-queue.ts'
import { deepWait } from './deep-wait.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { writes } from './writes.ts'

/** The memory driver, in one process. */
export const cases: readonly Case[] = [oneAtATime, contended, deepWait, deepQueue, bytes, writes]
