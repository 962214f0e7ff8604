import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import type { History, StartedAttempt } from './history.ts'
import type { Plan } from './plan.ts'
import { monotonicMs } from './run-log.ts'

/** What people see while the demo runs. */
export interface LiveView {
  /** Something happened that is worth a line. */
  event(text: string): void
  /** Shows how things stand; call it as often as you like. */
  show(history: History): void
  close(): void
}

/** A table drawn again and again in its place on a terminal, else a line a second. */
export function liveView(plan: Plan, stream: WriteStream): LiveView {
  const rows = plan.repositories.length + EVENTS + 5
  const isTerminal = stream.isTTY && process.env.TERM !== 'dumb' && stream.rows > rows
  return isTerminal ? tableView(plan, stream) : lineView(plan, stream)
}

/** How many events stay below the table. */
const EVENTS = 6
const FRAME_MS = 200
const LINE_MS = 1000
const MOST_CELLS = 24
const COLOURS = ['cyan', 'yellow', 'magenta', 'green', 'blue', 'red'] as const

interface Standing {
  readonly key: string
  readonly limit: number
  readonly atWork: readonly StartedAttempt[]
  /** The last child of each slot number, at work or not. */
  readonly lanes: ReadonlyMap<number | undefined, StartedAttempt>
  readonly waiting: number
  readonly done: number
  readonly runs: number
}

function standings(plan: Plan, history: History): readonly Standing[] {
  const started = history.started()
  return plan.repositories.map(({ key, limit }) => {
    const runs = plan.runs.filter(({ repository }) => repository === key).length
    const own = started.filter(({ repository }) => repository === key)
    const atWork = own.filter(({ end }) => end === undefined)
    const done = new Set(own.filter(({ end }) => end?.outcome === 'done').map(({ run }) => run)).size
    const lanes = new Map(own.map((attempt) => [attempt.start.slot, attempt]))
    return { key, limit, atWork, lanes, done, runs, waiting: Math.max(0, runs - done - atWork.length) }
  })
}

function stopwatch(): () => string {
  const beganAt = monotonicMs()
  return () => `${((monotonicMs() - beganAt) / 1000).toFixed(1).padStart(5)} s`
}

function lineView(plan: Plan, stream: WriteStream): LiveView {
  const passed = stopwatch()
  let shownAt = Number.NEGATIVE_INFINITY
  return {
    event: (text) => void stream.write(`${passed()}  ${text}\n`),
    show(history) {
      if (monotonicMs() - shownAt < LINE_MS) return
      shownAt = monotonicMs()
      const all = standings(plan, history)
      const running = all.map(
        ({ key, limit, atWork }) => `${key} ${atWork.length}${limit === 0 ? '' : `/${limit}`}`,
      )
      const waiting = all.reduce((sum, standing) => sum + standing.waiting, 0)
      const done = all.reduce((sum, standing) => sum + standing.done, 0)
      stream.write(
        `${passed()}  at work: ${running.join(', ')}; ${waiting} wait, ${done} of ${plan.runs.length} done\n`,
      )
    },
    close: () => {},
  }
}

function tableView(plan: Plan, stream: WriteStream): LiveView {
  const passed = stopwatch()
  const events: string[] = []
  const width = Math.max(10, ...plan.repositories.map(({ key }) => key.length))
  let drawn = 0
  let shownAt = Number.NEGATIVE_INFINITY
  let last: History | undefined

  const draw = (history: History) => {
    const dim = (text: string) => styleText('dim', text, { stream })
    const cells = Math.min(
      MOST_CELLS,
      Math.max(8, ...plan.repositories.map(({ key, limit }) => limit || runsOf(plan, key))),
    )
    const head = `${'repository'.padEnd(width)}  limit  ${'at work'.padEnd(cells)}  waiting   done`
    const lines = standings(plan, history).map(
      (standing) =>
        `${standing.key.padEnd(width)}  ${(standing.limit || '-').toString().padStart(5)}  ${bar(standing, cells, stream)}` +
        `  ${String(standing.waiting).padStart(7)}  ${`${standing.done}/${standing.runs}`.padStart(5)}`,
    )
    const below = Array.from({ length: EVENTS }, (_, index) => events.at(index - EVENTS) ?? '')
    const text = [
      `${passed()}  ${dim('at work: the number of the worker in each slot, · free, × its worker was killed')}`,
      dim(head),
      ...lines,
      '',
      ...(events.length < EVENTS ? [...events, ...below.filter((line) => line === '')] : below),
    ]
    // Without wrapping, so that a narrow window cuts lines and the place of each stays known.
    const up = drawn === 0 ? '' : `\x1b[${drawn}A`
    stream.write(`\x1b[?25l\x1b[?7l${up}${text.map((line) => `\x1b[2K${line}\n`).join('')}\x1b[?7h\x1b[?25h`)
    drawn = text.length
  }

  return {
    event(text) {
      events.push(`${passed()}  ${text}`)
      if (last !== undefined) draw(last)
    },
    show(history) {
      last = history
      if (monotonicMs() - shownAt < FRAME_MS) return
      shownAt = monotonicMs()
      draw(history)
    },
    close() {
      if (last !== undefined) draw(last)
    },
  }
}

/** A place for every slot number: the number of the worker that has it, × where a worker lost it and nobody has got it since. */
function bar({ limit, atWork, lanes }: Standing, cells: number, stream: WriteStream): string {
  const places = limit === 0 ? [...atWork] : Array.from({ length: limit }, (_, index) => lanes.get(index + 1))
  const shown = places.slice(0, places.length > cells ? cells - 1 : cells)
  const text = shown.map((attempt) => {
    if (attempt === undefined || attempt.end?.outcome === 'done') return styleText('dim', '·', { stream })
    if (attempt.end !== undefined) return styleText('red', '×', { stream })
    const number = Number(attempt.worker.replace(/\D/g, ''))
    const colour = COLOURS[(number - 1) % COLOURS.length] ?? 'white'
    return styleText(['inverse', colour], String(number % 10), { stream })
  })
  const more = places.length > cells ? '+' : ''
  return text.join('') + more + ' '.repeat(cells - shown.length - more.length)
}

function runsOf(plan: Plan, key: string): number {
  return plan.runs.filter(({ repository }) => repository === key).length
}
