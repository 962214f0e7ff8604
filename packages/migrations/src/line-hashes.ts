import { createHash } from 'node:crypto'

const BYTES = 4
/** A dump of a million lines needs no hint that exact. */
const MOST_LINES = 4096

/**
 * A few bytes for each line of a text, by which a later text can be told to differ and where. The text itself is kept nowhere:
 * migrations hold passwords. Empty for a text of more than 4,096 lines.
 */
export function lineHashes(text: string): Buffer {
  const lines = text.split('\n')
  if (lines.length > MOST_LINES) return Buffer.alloc(0)
  return Buffer.concat(lines.map((line) => createHash('sha256').update(line).digest().subarray(0, BYTES)))
}

/** Where a text differs from the one that the hashes are of, in words: `lines 12 to 14 of 40 differ (3 were there)`. */
export function whereItDiffers(hashes: Buffer, text: string): string {
  const now = lineHashes(text)
  if (hashes.length === 0 || now.length === 0) return 'it is too long to tell where'
  const [was, is] = [hashes.length / BYTES, now.length / BYTES]
  const same = (a: number, b: number) =>
    hashes.subarray(a * BYTES, (a + 1) * BYTES).equals(now.subarray(b * BYTES, (b + 1) * BYTES))
  let first = 0
  while (first < Math.min(was, is) && same(first, first)) first++
  let last = 0
  while (last < Math.min(was, is) - first && same(was - 1 - last, is - 1 - last)) last++
  const changed = is - last - first
  const were = was - last - first
  if (changed === 0 && were === 0) return 'only its bytes differ, such as a byte order mark'
  if (changed === 0) return `${count(were)} missing after line ${first}`
  const place =
    changed === 1 ? `line ${first + 1} differs` : `lines ${first + 1} to ${first + changed} differ`
  return `${place}, where ${count(were)} before`
}

function count(lines: number): string {
  return lines === 1 ? '1 line was' : `${lines} lines were`
}
