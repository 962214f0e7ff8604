/** What `decide` is told once, besides the rows. */
export interface Policy {
  /** How long the record of an ended run is kept, in ms. */
  readonly recordTtlMs: number
}

/** An unclaimed reservation is parked for its claim timeout, doubled at every further time up to this factor. */
const LONGEST_PARK = 16

/** How long an entry is parked that was parked `parks` times before. */
export function parkMs(claimTimeoutMs: number, parks: number): number {
  return claimTimeoutMs * Math.min(2 ** parks, LONGEST_PARK)
}

/** The most rows that one command changes by itself: its run, its repository, a holder buried and one bumped. The guard may be one more. */
export const CHANGES_PER_COMMAND = 4

/** The most rows that settling one changes: the row, its repository, a holder. */
export const CHANGES_PER_SETTLING = 3
