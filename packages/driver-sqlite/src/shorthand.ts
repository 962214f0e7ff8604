/** A number told by its distance from another one; alone in a list where there is none, or where that would lose digits. */
export type Distance = number | readonly [number]

/** How far `value` is from `from`. */
export function apart(value: number, from: number | undefined): Distance {
  // Without one it is no number, and so not equal.
  const distance = value - (from as number)
  return (from as number) + distance === value ? distance : [value]
}

/** What `apart` told. */
export function together(told: Distance, from: number | undefined): number {
  return typeof told === 'number' ? (from as number) + told : told[0]
}

/** A text told by its end, the rest being that of another one; alone in a list where it is not. */
export type Tail = string | readonly [string]

/** Tickets of one caller differ in so many characters at their end. */
const TAIL = 8

/** The end of `text`, if it begins as `like` does. */
export function tailOf(text: string, like: string): Tail {
  return text.length === like.length && text.startsWith(like.slice(0, -TAIL)) ? text.slice(-TAIL) : [text]
}

/** What `tailOf` told. */
export function withTail(told: Tail, like: string): string {
  return typeof told === 'string' ? like.slice(0, -TAIL) + told : told[0]
}
