/** Twelve random characters. */
export function randomId(random: () => number): string {
  let id = ''
  while (id.length < 12)
    id += Math.floor(random() * 36 ** 4)
      .toString(36)
      .padStart(4, '0')
  return id
}
