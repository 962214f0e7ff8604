/**
 * The name that takes the fewest single edits (insert, delete, replace, swap neighbours) to get from `text`, whatever its
 * case; of several the one that begins most alike, of these the first.
 */
export function nearestName<N extends string>(text: string, names: readonly [N, ...N[]]): N {
  const lower = text.toLowerCase()
  let [nearest] = names
  let fewest = Number.POSITIVE_INFINITY
  for (const name of names) {
    // A common beginning counts for less than any edit.
    const distance = editsBetween(lower, name) - commonBeginning(lower, name) / 1000
    if (distance < fewest) [nearest, fewest] = [name, distance]
  }
  return nearest
}

function commonBeginning(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}

/** Optimal string alignment: three rows of the edit table are enough. */
function editsBetween(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let edits = Math.min(replaced, at(previous, j) + 1, at(row, j - 1) + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        edits = Math.min(edits, at(beforePrevious, j - 2) + 1)
      row.push(edits)
    }
    beforePrevious = previous
    previous = row
  }
  return at(previous, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] as number
}
