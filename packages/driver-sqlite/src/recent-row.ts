import type { RunKey } from '@slotkeeper/core/driver'
import type { Distance } from './shorthand.ts'

/** What times, tokens and tickets are told by. */
export type Header = [
  committedAt: number,
  token: number,
  wall: number | undefined,
  due: number | undefined,
  ticket: string,
]

/** Reserved, orphaned, waiting and parked, then the words of the numbers in use; or a single word, where nobody is any of these. */
export type ToldCounts = number | readonly number[]

/** A repository's id, the time of the commit, its counts and then its runs as they are now. */
export type Counted = readonly [
  id: number,
  committedAt: Distance,
  token: Distance,
  sequence: number,
  live: number,
  others: ToldCounts,
  ...runs: ToldRun[],
]

/** What is told of a repository; its id alone: that it was settled. */
export type Told = Counted | readonly [id: number]

/** How a run is told, its name, and what `RecentReader.run` makes of the rest. */
export type ToldRun = readonly [how: number, run: RunKey, ...rest: unknown[]]

/** How a run is told: whole, and it holds a slot. */
export const RUNNING = 0
/** Whole, and it is over. */
export const RECORD = 1
/** By what it is unlike the last one told whole. */
export const LIKE = 2
/** As the end of a slot that was told before. */
export const ENDED = 3
