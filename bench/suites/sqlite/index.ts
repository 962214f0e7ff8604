import type { Case } from '../../harness/case.ts'

/** The SQLite driver. */
export const cases: readonly Case[] = []
