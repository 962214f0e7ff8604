import type { History } from './history.ts'
import { type Band, type Bar, type Layout, layOut, type Step } from './picture-layout.ts'
import { element, escapeXml } from './picture-svg.ts'
import type { Plan } from './plan.ts'

const WIDTH = 960
const LEFT = 192
const RIGHT = 936
const LANE = 15
const BAR = 12
const QUEUE = 26
const GAP = 20

const PAPER = '#fcfcfa'
const INK = '#24292f'
const FAINT = '#6e7781'
const LINES = '#e3e4e0'
const TRACK = '#f0f0ec'
const RED = '#c4161c'
const WAITING = '#b9bdc2'
/** Told apart by people who do not see all colours, too, and all darker than the paper. */
const COLOURS = ['#4477aa', '#ddaa33', '#228866', '#aa4499', '#66bbdd', '#885522'] as const

/** Draws what the log tells as an SVG document: a lane for every slot number, the queue below them, and who worked when. */
export function drawPicture(plan: Plan, history: History): string {
  const layout = layOut(plan, history)
  const x = (at: number) => LEFT + ((RIGHT - LEFT) * at) / Math.max(layout.seconds, 0.001)
  const colours = new Map(
    layout.workers.map(({ name }, index) => [name, COLOURS[index % COLOURS.length] ?? INK]),
  )
  const top = 92
  let y = top
  const bands: string[] = []
  for (const band of layout.bands) {
    bands.push(drawBand(band, { y, x, colours, end: layout.seconds }))
    y += heightOf(band) + GAP
  }
  const bottom = y - GAP + 6
  const height = bottom + 40
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      role: 'img',
      'font-family': 'ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif',
      'font-size': 11,
      fill: INK,
    },
    element('title', {}, 'A run of the Slotkeeper demo'),
    '\n',
    element('rect', {
      x: 0.5,
      y: 0.5,
      width: WIDTH - 1,
      height: height - 1,
      rx: 8,
      fill: PAPER,
      stroke: LINES,
    }),
    drawHead(layout, plan),
    drawLegend(layout, colours),
    drawAxis(layout.seconds, { x, top: top - 8, bottom }),
    ...bands,
    drawKills(layout, { x, top: top - 8, bottom }),
  )}\n`
}

function drawHead({ bands, workers, kills }: Layout, { runs }: Plan): string {
  const killed = kills.length === 0 ? '' : ', one of them killed'
  const first = workers.filter(({ late }) => !late).length
  return (
    text(24, 31, 'Who had which slot', { 'font-size': 16, 'font-weight': 600 }) +
    text(
      RIGHT,
      31,
      `${runs.length} runs of ${bands.length} repositories, ${first} workers on one SQLite file${killed}`,
      {
        fill: FAINT,
        'text-anchor': 'end',
        'font-size': 12,
      },
    )
  )
}

function drawLegend({ workers, kills }: Layout, colours: ReadonlyMap<string, string>): string {
  let at = 24
  const parts: string[] = []
  const add = (mark: (x: number) => string, says: string) => {
    parts.push(mark(at) + text(at + 22, 57, says))
    at += 22 + says.length * 5.9 + 16
  }
  for (const { name, killed, late } of workers) {
    const fill = colours.get(name) ?? INK
    add(
      (x) => element('rect', { x, y: 48, width: 16, height: 10, rx: 2, fill }),
      killed ? `${name}, killed` : late && kills.length > 0 ? `${name}, in its place` : name,
    )
  }
  if (kills.length > 0) {
    add((x) => cross(x + 8, 53), 'stopped by the kill')
    add((x) => dots(x, x + 16, 53), 'still its slot')
  }
  add((x) => element('path', { d: `M${x} 58v-6h6v-4h6v6h4v4z`, fill: WAITING }), 'waiting')
  return parts.join('')
}

function drawAxis(
  seconds: number,
  { x, top, bottom }: { x: (at: number) => number; top: number; bottom: number },
): string {
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300].find((size) => seconds / size <= 14) ?? 600
  const parts: string[] = []
  for (let at = 0; at <= seconds; at += step)
    parts.push(
      element('line', { x1: x(at), x2: x(at), y1: top, y2: bottom, stroke: LINES }),
      text(x(at), bottom + 16, String(at), { 'text-anchor': 'middle', fill: FAINT }),
    )
  return parts.join('') + text(LEFT - 14, bottom + 16, 'seconds', { 'text-anchor': 'end', fill: FAINT })
}

interface Canvas {
  readonly y: number
  readonly x: (at: number) => number
  readonly colours: ReadonlyMap<string, string>
  readonly end: number
}

function heightOf({ lanes }: Band): number {
  return lanes.length * LANE + QUEUE + 4
}

function drawBand(band: Band, canvas: Canvas): string {
  const { repository, limit, lanes, queue } = band
  const { y, x, colours } = canvas
  const parts = [
    '\n',
    text(24, y + 11, shortened(repository), { 'font-weight': 600, 'font-size': 12 }),
    text(24, y + 26, limit === 0 ? 'no limit' : `limit ${limit}`, { fill: FAINT }),
  ]
  for (const [index, { slot, bars, kept }] of lanes.entries()) {
    const laneY = y + index * LANE
    if (slot !== undefined)
      parts.push(
        text(LEFT - 8, laneY + 10, String(slot), { fill: FAINT, 'text-anchor': 'end', 'font-size': 10 }),
        element('rect', { x: LEFT, y: laneY, width: RIGHT - LEFT, height: BAR, fill: TRACK }),
      )
    for (const { from, to } of kept) parts.push(dots(x(from) + 5, x(to) - 2, laneY + BAR / 2))
    for (const bar of bars) parts.push(drawBar(bar, laneY, x, colours.get(bar.worker) ?? INK))
  }
  parts.push(drawQueue(queue, canvas, y + lanes.length * LANE + 2))
  return parts.join('')
}

function drawBar(
  { run, worker, from, to, ending }: Bar,
  y: number,
  x: (at: number) => number,
  fill: string,
): string {
  const width = Math.max(1, x(to) - x(from) - 0.6)
  const says = `${run}: ${worker}, ${from.toFixed(1)} to ${to.toFixed(1)} s${ending === 'done' ? '' : `, ${ending}`}`
  const bar = element(
    'rect',
    {
      x: x(from),
      y,
      width,
      height: BAR,
      rx: 1.5,
      fill,
      ...(ending === 'open' ? { 'fill-opacity': 0.5 } : {}),
    },
    element('title', {}, escapeXml(says)),
  )
  return ending === 'done' || ending === 'open' ? bar : bar + cross(x(to), y + BAR / 2)
}

function drawQueue(steps: readonly Step[], { x, end }: Canvas, y: number): string {
  const most = steps.reduce((sum, { waiting }) => Math.max(sum, waiting), 0)
  const base = y + QUEUE
  const label = text(LEFT - 8, base - 3, most === 0 ? 'nobody waits' : `up to ${most} wait`, {
    fill: FAINT,
    'text-anchor': 'end',
    'font-size': 10,
  })
  const floor = element('line', { x1: LEFT, x2: RIGHT, y1: base, y2: base, stroke: WAITING })
  if (most === 0) return label + floor
  const high = (waiting: number) => one(base - ((QUEUE - 4) * waiting) / most)
  const path = steps.map(({ at, waiting }) => `H${one(x(at))}V${high(waiting)}`)
  const d = `M${LEFT} ${one(base)}${path.join('')}H${one(x(end))}V${one(base)}z`
  return element('path', { d, fill: WAITING, 'fill-opacity': 0.75 }) + label + floor
}

function drawKills(
  { kills, bands }: Layout,
  { x, top, bottom }: { x: (at: number) => number; top: number; bottom: number },
): string {
  return kills
    .map(({ worker, at }) => {
      const children = bands.flatMap(({ lanes }) => lanes.flatMap(({ bars }) => bars))
      const stopped = children.filter((bar) => bar.worker === worker && bar.ending === 'killed').length
      const back = bands.flatMap(({ lanes }) => lanes.flatMap(({ kept }) => kept)).map(({ to }) => to - at)
      const after = back.length === 0 ? '' : `; its slots are back ${Math.max(...back).toFixed(1)} s later`
      const says = `${worker} is killed with ${stopped} ${stopped === 1 ? 'child' : 'children'} at work${after}`
      const right = x(at) < (LEFT + RIGHT) / 2
      return (
        element('line', { x1: x(at), x2: x(at), y1: top - 8, y2: bottom, stroke: RED, 'stroke-width': 1.2 }) +
        text(x(at) + (right ? 5 : -5), top - 1, says, {
          fill: RED,
          'font-weight': 600,
          'text-anchor': right ? 'start' : 'end',
        })
      )
    })
    .join('')
}

function dots(x1: number, x2: number, y: number): string {
  return element('line', {
    x1,
    x2,
    y1: y,
    y2: y,
    stroke: RED,
    'stroke-width': 1.5,
    'stroke-dasharray': '2 3',
  })
}

function cross(x: number, y: number): string {
  const d = `M${one(x - 4)} ${one(y - 4)}l8 8m0 -8l-8 8`
  return (
    element('path', { d, stroke: PAPER, 'stroke-width': 5, 'stroke-linecap': 'round' }) +
    element('path', { d, stroke: RED, 'stroke-width': 2.4, 'stroke-linecap': 'round' })
  )
}

function text(x: number, y: number, says: string, more: Readonly<Record<string, string | number>> = {}) {
  return element('text', { x, y, ...more }, escapeXml(says))
}

function shortened(name: string): string {
  return name.length > 20 ? `${name.slice(0, 19)}…` : name
}

function one(value: number): string {
  return String(Math.round(value * 10) / 10)
}
