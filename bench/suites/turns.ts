import type { Sample } from '../harness/case.ts'
import { median, quantile } from '../harness/statistics.ts'
import type { Turn, Turns } from './contend.ts'

interface HandOff {
  readonly ms: number
  readonly across: boolean
}

/**
 * From the call of `release` to the moment at which the next one with the same slot number goes on, the release's own commit included;
 * from its call of `waitForSlot` where it came later. Grants follow each other as their fencing tokens do.
 */
function handOffs(records: readonly Turn[]): HandOff[] {
  const last = new Map<number, Turn>()
  const found: HandOff[] = []
  for (const record of [...records].sort((a, b) => a.token - b.token)) {
    const before = last.get(record.number)
    if (before !== undefined)
      found.push({
        ms: record.granted - Math.max(before.releasing, record.asked),
        across: before.process !== record.process,
      })
    last.set(record.number, record)
  }
  return found
}

/** The figures of turns: how many, how long somebody waits, how a slot goes from one to the next, and who gets how many. */
export function figuresOf({ records, from, until }: Turns): Sample {
  const within = records.filter(({ granted }) => granted >= from && granted < until)
  if (within.length === 0) throw new Error('Nobody had a turn while the figures were taken.')
  const waits = within.map(({ asked, granted }) => granted - asked)
  const passed = handOffs(within)
  const all = passed.map(({ ms }) => ms)
  const across = passed.filter((handOff) => handOff.across).map(({ ms }) => ms)
  const shares = [0, 1].map((process) => within.filter((record) => record.process === process).length)
  return {
    rate: (within.length / (until - from)) * 1000,
    held: median(within.map(({ granted, releasing }) => releasing - granted)),
    longest: Math.max(...waits) / median(waits),
    wait: median(waits),
    ...(all.length > 0 && { p50: median(all), p99: quantile(all, 0.99) }),
    // Without a hand-off across processes there is no such figure.
    ...(across.length > 0 && { acrossP50: median(across), acrossP99: quantile(across, 0.99) }),
    acrossShare: across.length / all.length,
    split: Math.min(...shares) / Math.max(...shares),
    smallerShare: Math.min(...shares) / within.length,
  }
}
