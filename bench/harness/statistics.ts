/** The middle value, or the mean of the middle two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which a share `q` of all lies, between neighbours by their distance. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new Error('There is no quantile of nothing.')
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const below = sorted[Math.floor(at)] as number
  const above = sorted[Math.ceil(at)] as number
  return below + (above - below) * (at - Math.floor(at))
}

/** (max − min) ÷ median; 0 when all are the same. */
export function spreadOf(values: readonly number[]): number {
  const width = Math.max(...values) - Math.min(...values)
  return width === 0 ? 0 : width / median(values)
}
