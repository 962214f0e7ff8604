/**
 * Slot numbers in use, as a bitmap of 32-bit words: bit `i` of word `w` is number `32 w + i + 1`. There is a first word; others
 * are there up to the last that is not zero.
 */
export type SlotNumbers = number[]

/** Takes the lowest free number. */
export function takeNumber(numbers: SlotNumbers): number {
  let word = 0
  while (word < numbers.length && numbers[word] === -1) word++
  const bits = word < numbers.length ? (numbers[word] as number) : 0
  const free = ~bits & -~bits
  numbers[word] = bits | free
  return word * 32 + 32 - Math.clz32(free)
}

/** Makes `number` free again; 0 stands for none. */
export function giveNumber(numbers: SlotNumbers, number: number): void {
  if (number === 0) return
  const word = (number - 1) >>> 5
  if (word >= numbers.length) return
  numbers[word] = (numbers[word] as number) & ~(1 << ((number - 1) & 31))
  // The first word stays: making room for it again would cost more than all the rest of a grant.
  while (numbers.length > 1 && numbers[numbers.length - 1] === 0) numbers.pop()
}

/** The bitmap of exactly these numbers, to audit one against the rows. */
export function numbersOf(used: Iterable<number>): SlotNumbers {
  const words: SlotNumbers = [0]
  for (const number of used) {
    if (number === 0) continue
    const word = (number - 1) >>> 5
    while (words.length <= word) words.push(0)
    words[word] = (words[word] as number) | (1 << ((number - 1) & 31))
  }
  return words
}
