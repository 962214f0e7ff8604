import type { History, StartedAttempt } from './history.ts'
import type { Plan } from './plan.ts'

/** A child at work. All times of a layout are in seconds since the first line of the log that is drawn. */
export interface Bar {
  readonly run: string
  readonly worker: string
  readonly from: number
  readonly to: number
  /** `killed`: it stopped because its worker was killed. `open`: the log does not tell its end. */
  readonly ending: 'done' | 'stopped' | 'killed' | 'open'
}

/** What happened in one slot number; without a limit, bars that fit behind each other. */
interface Lane {
  readonly slot: number | undefined
  readonly bars: readonly Bar[]
  /** Between bars, from a kill on, where others waited and did not get the slot: it was still the killed worker's. */
  readonly kept: readonly Gap[]
}

interface Gap {
  readonly from: number
  readonly to: number
}

/** From `at` on so many runs wait. */
export interface Step {
  readonly at: number
  readonly waiting: number
}

export interface Band {
  readonly repository: string
  /** 0 = unlimited. */
  readonly limit: number
  readonly lanes: readonly Lane[]
  readonly queue: readonly Step[]
}

/** What a picture shows, before anybody has chosen a size or a colour. */
export interface Layout {
  readonly seconds: number
  readonly bands: readonly Band[]
  /** In the order of their numbers. */
  readonly workers: readonly { readonly name: string; readonly killed: boolean; readonly late: boolean }[]
  readonly kills: readonly { readonly worker: string; readonly at: number }[]
}

/** Up to this limit every slot number has a lane, used or not. */
const MOST_EMPTY_LANES = 16

/** Arranges what the log tells. */
export function layOut(plan: Plan, history: History): Layout {
  const times = history.attempts.flatMap(({ asked, start, end }) =>
    [asked, start, end].flatMap((mark) => mark?.at ?? []),
  )
  const all = [...times, ...history.kills.map(({ at }) => at)]
  const zero = all.reduce((least, at) => Math.min(least, at), all[0] ?? 0)
  const last = all.reduce((most, at) => Math.max(most, at), zero)
  const clock = (at: number) => (at - zero) / 1000
  const kills = history.kills.map(({ worker, at }) => ({ worker, at: clock(at) }))
  const names = [...new Set(history.attempts.map(({ worker }) => worker))]
  return {
    seconds: clock(last),
    kills,
    workers: names.sort(byNumber).map((name) => {
      const first = history.attempts.find(({ worker }) => worker === name)?.asked.line ?? 0
      return {
        name,
        killed: kills.some(({ worker }) => worker === name),
        late: history.kills.some(({ line }) => line < first),
      }
    }),
    bands: plan.repositories.map(({ key, limit }) => {
      const queue = queueOf(history, key, clock)
      const lanes = lanesOf(history, { key, limit, clock, end: clock(last) })
      return {
        repository: key,
        limit,
        queue,
        lanes: lanes.map((lane) => ({ ...lane, kept: keptOf(lane, queue, kills) })),
      }
    }),
  }
}

interface Frame {
  readonly key: string
  readonly limit: number
  readonly clock: (at: number) => number
  readonly end: number
}

function lanesOf(history: History, frame: Frame): readonly Omit<Lane, 'kept'>[] {
  const own = history.started().filter(({ repository }) => repository === frame.key)
  const numbered = own.filter(({ start }) => start.slot !== undefined)
  const used = numbered.map(({ start }) => start.slot as number)
  if (frame.limit <= MOST_EMPTY_LANES) for (let slot = 1; slot <= frame.limit; slot++) used.push(slot)
  const lanes = [...new Set(used)]
    .sort((a, b) => a - b)
    .map((slot) => {
      const attempts = numbered.filter(({ start }) => start.slot === slot)
      return { slot, bars: attempts.map((attempt) => barOf(history, attempt, frame)) }
    })
  const packed: Bar[][] = []
  for (const attempt of own.filter(({ start }) => start.slot === undefined)) {
    const bar = barOf(history, attempt, frame)
    const free = packed.find((bars) => (bars.at(-1)?.to ?? 0) <= bar.from)
    if (free === undefined) packed.push([bar])
    else free.push(bar)
  }
  return [...lanes, ...packed.map((bars) => ({ slot: undefined, bars }))]
}

function barOf(
  { kills }: History,
  { run, worker, start, end }: StartedAttempt,
  { clock, end: last }: Frame,
): Bar {
  const kill = kills.find((other) => other.worker === worker)
  // What was done by then, a kill cannot stop.
  const killed = kill !== undefined && end?.outcome !== 'done'
  return {
    run,
    worker,
    from: clock(start.at),
    to: end === undefined ? last : clock(end.at),
    ending: killed ? 'killed' : (end?.outcome ?? 'open'),
  }
}

/** A slot that comes free goes to the next run sooner than this. */
const HAND_OVER_SECONDS = 0.8

/**
 * Where nobody works in a slot number although others wait, the slot was kept for the killed worker: one that it had, or one that was
 * given to its waiting run before its time to live was over. A kill explains only the next gap of each slot number.
 */
function keptOf(
  { slot, bars }: Omit<Lane, 'kept'>,
  queue: readonly Step[],
  kills: Layout['kills'],
): readonly Gap[] {
  if (slot === undefined) return []
  return kills.flatMap(({ at }) => {
    const next = bars.findIndex((bar, index) => {
      const free = Math.max(at, bars[index - 1]?.to ?? 0)
      return bar.from > at && (bars[index - 1]?.ending === 'killed' || bar.from - free > HAND_OVER_SECONDS)
    })
    const bar = bars[next]
    if (bar === undefined) return []
    const gap = { from: Math.max(at, bars[next - 1]?.to ?? 0), to: bar.from }
    const waited = queue.every(
      (step, index) => step.waiting > 0 || step.at >= gap.to || (queue[index + 1]?.at ?? gap.to) <= gap.from,
    )
    return waited && gap.to - gap.from < MOST_KEPT_SECONDS ? [gap] : []
  })
}

/** A longer gap has another reason. */
const MOST_KEPT_SECONDS = 10

/**
 * How many runs of a repository had been asked for and were not at work. A run that a killed worker waited for waits on, until
 * somebody else has asked for it and got its slot.
 */
function queueOf({ attempts }: History, key: string, clock: (at: number) => number): readonly Step[] {
  const own = attempts.filter(({ repository }) => repository === key)
  const turns = own.flatMap((attempt) => {
    const { run, asked, start } = attempt
    const later = own.slice(own.indexOf(attempt) + 1).find((other) => other.run === run)
    const over = start ?? later?.asked
    return over === undefined
      ? [{ mark: asked, by: 1 }]
      : [
          { mark: asked, by: 1 },
          { mark: over, by: -1 },
        ]
  })
  let waiting = 0
  const steps: Step[] = []
  for (const { mark, by } of turns.sort((a, b) => a.mark.line - b.mark.line || b.by - a.by)) {
    waiting += by
    const at = clock(mark.at)
    if (steps.at(-1)?.at === at) steps.pop()
    if (steps.at(-1)?.waiting !== waiting) steps.push({ at, waiting })
  }
  return steps
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
