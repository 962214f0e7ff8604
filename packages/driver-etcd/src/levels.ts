/**
 * How many entries of a queue have a priority, and from which sequence on they are to be looked for: never after the first of them. So
 * the head of a queue is found by a short range of keys however long the queue is: etcd walks through all keys of a range, also of a
 * limited one.
 */
export interface Level {
  /** The priorities of the level, the same for nearly all. */
  readonly high: number
  readonly low: number
  readonly count: number
  /** Where its first entry may be, where it has one priority. */
  readonly first: number
}

/** So many levels are kept apart; the lowest ones of a queue with more are one, and are looked through. */
const MOST_LEVELS = 64

/** The levels with one more entry. */
export function withEntry(levels: readonly Level[], priority: number, sequence: number): readonly Level[] {
  const at = levels.findIndex(({ low }) => low <= priority)
  const found = at < 0 ? undefined : levels[at]
  if (found !== undefined && found.high >= priority)
    return levels.with(at, {
      ...found,
      count: found.count + 1,
      first: Math.min(found.first, sequence),
    })
  const added = { high: priority, low: priority, count: 1, first: sequence }
  return merged(levels.toSpliced(at < 0 ? levels.length : at, 0, added))
}

/** The levels with one entry less. */
export function withoutEntry(levels: readonly Level[], priority: number): readonly Level[] {
  const at = levels.findIndex(({ low }) => low <= priority)
  const found = levels[at]
  if (found === undefined) return levels
  return found.count === 1 ? levels.toSpliced(at, 1) : levels.with(at, { ...found, count: found.count - 1 })
}

/** The levels, of which one is known to have no entry before this one. */
export function withFirst(levels: readonly Level[], priority: number, first: number): readonly Level[] {
  const at = levels.findIndex((level) => level.low === priority && level.high === priority)
  const found = levels[at]
  return found === undefined ? levels : levels.with(at, { ...found, first })
}

/** Whether an entry certainly goes before all those that the levels count. */
export function isBeforeAll(
  [top]: readonly Level[],
  { priority, sequence }: { readonly priority: number; readonly sequence: number },
): boolean {
  if (top === undefined || priority > top.high) return true
  return top.high === top.low && priority === top.high && sequence < top.first
}

/** How many entries there are. */
export function countOf(levels: readonly Level[]): number {
  return levels.reduce((sum, { count }) => sum + count, 0)
}

function merged(levels: readonly Level[]): readonly Level[] {
  const last = levels.at(-1)
  const other = levels.at(-2)
  if (levels.length <= MOST_LEVELS || last === undefined || other === undefined) return levels
  return [
    ...levels.slice(0, -2),
    { high: other.high, low: last.low, count: other.count + last.count, first: 0 },
  ]
}
