import type { Case } from '../../harness/case.ts'
import { newOnes } from './new-ones.ts'
import { nothingNew } from './nothing-new.ts'

/** `@slotkeeper/migrations`, on a real PostgreSQL. */
export const cases: readonly Case[] = [newOnes, nothingNew]
