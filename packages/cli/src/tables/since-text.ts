import { age, clockTime } from '../times.ts'

/** A moment with how long it is ago: `14:03:07 (3m12s)`. `since` is in ISO 8601. */
export function sinceText(since: string, at: Date): string {
  return `${clockTime(new Date(since), at)} (${age(at.getTime() - Date.parse(since))})`
}
