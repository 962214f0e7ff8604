import { expect, test } from 'vitest'
import { History } from './history.ts'
import { drawPicture } from './picture.ts'
import { type Layout, layOut } from './picture-layout.ts'
import type { Plan } from './plan.ts'
import type { LogLine, Said } from './run-log.ts'

const ONE = 'acme/one'
const FREE = 'acme/free'
const plan: Plan = {
  repositories: [
    { key: ONE, limit: 2 },
    { key: FREE, limit: 0 },
  ],
  runs: ['a', 'b', 'c'].map((name) => ({ run: `acme/${name}`, repository: ONE, priority: 0, seconds: 1 })),
}

/** A history of lines at these seconds, in this order. */
function historyOf(...said: readonly (readonly [at: number, line: Said])[]): History {
  const history = new History()
  for (const [at, line] of said)
    history.add(JSON.stringify({ at: 5000 + at * 1000, ...line } satisfies LogLine))
  return history
}

function asked(run: string, worker: string, repository = ONE): Said {
  return { event: 'asked', worker, repository, run, priority: 0 }
}

function start(run: string, worker: string, slot?: number, repository = ONE): Said {
  const pid = Number(worker.at(-1)) * 100 + (run.charCodeAt(0) - 97)
  return {
    event: 'start',
    worker,
    repository,
    run,
    pid,
    token: '1',
    ...(slot === undefined ? {} : { slot }),
  }
}

function end(run: string, worker: string, outcome: 'done' | 'stopped' = 'done'): Said {
  return { event: 'end', outcome, run, pid: Number(worker.at(-1)) * 100 + (run.charCodeAt(0) - 97) }
}

/** `a` is stopped by a kill, `b` waits for its slot, and `a` is done again by another worker. */
const killed = historyOf(
  [0, asked('a', 'worker-1')],
  [0.5, start('a', 'worker-1', 1)],
  [1, asked('b', 'worker-2')],
  [2, { event: 'kill', worker: 'worker-1', pid: 1 }],
  [2.1, end('a', 'worker-1', 'stopped')],
  [3, asked('a', 'worker-3')],
  [5, start('b', 'worker-2', 1)],
  [6, end('b', 'worker-2')],
  [6.1, start('a', 'worker-3', 1)],
  [7, end('a', 'worker-3')],
)

function bandOf({ bands }: Layout, key: string) {
  const band = bands.find(({ repository }) => repository === key)
  if (band === undefined) throw new Error(`There is no band of ${key}.`)
  return band
}

test('every slot number has a lane, and a bar from the start to the end of each child', () => {
  const { lanes } = bandOf(layOut(plan, killed), ONE)
  expect(lanes.map(({ slot }) => slot)).toEqual([1, 2])
  expect(lanes[0]?.bars).toEqual([
    { run: 'a', worker: 'worker-1', from: 0.5, to: 2.1, ending: 'killed' },
    { run: 'b', worker: 'worker-2', from: 5, to: 6, ending: 'done' },
    { run: 'a', worker: 'worker-3', from: 6.1, to: 7, ending: 'done' },
  ])
  expect(lanes[1]?.bars).toEqual([])
})

test('the slot of a killed worker is kept until it goes to somebody else', () => {
  const layout = layOut(plan, killed)
  expect(bandOf(layout, ONE).lanes.map(({ kept }) => kept)).toEqual([[{ from: 2.1, to: 5 }], []])
  expect(layout.kills).toEqual([{ worker: 'worker-1', at: 2 }])
  expect(layout.workers).toEqual([
    { name: 'worker-1', killed: true, late: false },
    { name: 'worker-2', killed: false, late: false },
    { name: 'worker-3', killed: false, late: true },
  ])
})

test('a slot number that is free because nobody waits is kept for nobody', () => {
  const history = historyOf(
    [0, asked('a', 'worker-1')],
    [0.1, start('a', 'worker-1', 1)],
    [1, end('a', 'worker-1')],
    [1.5, { event: 'kill', worker: 'worker-2', pid: 1 }],
    [4, asked('b', 'worker-1')],
    [4.1, start('b', 'worker-1', 1)],
  )
  expect(bandOf(layOut(plan, history), ONE).lanes[0]?.kept).toEqual([])
})

test('the queue is the runs that are asked for and not at work', () => {
  expect(bandOf(layOut(plan, killed), ONE).queue).toEqual([
    { at: 0, waiting: 1 },
    { at: 0.5, waiting: 0 },
    { at: 1, waiting: 1 },
    { at: 3, waiting: 2 },
    { at: 5, waiting: 1 },
    { at: 6.1, waiting: 0 },
  ])
})

test('a run that a killed worker waited for is counted once when another one asks for it', () => {
  const history = historyOf(
    [0, asked('a', 'worker-1')],
    [1, { event: 'kill', worker: 'worker-1', pid: 1 }],
    [2, asked('a', 'worker-2')],
    [3, start('a', 'worker-2', 1)],
  )
  expect(bandOf(layOut(plan, history), ONE).queue).toEqual([
    { at: 0, waiting: 1 },
    { at: 3, waiting: 0 },
  ])
})

test('without a limit, children share a lane when they do not meet', () => {
  const history = historyOf(
    [0, start('a', 'worker-1', undefined, FREE)],
    [1, start('b', 'worker-2', undefined, FREE)],
    [2, end('a', 'worker-1')],
    [3, start('c', 'worker-1', undefined, FREE)],
    [4, end('b', 'worker-2')],
  )
  const { lanes } = bandOf(layOut(plan, history), FREE)
  expect(lanes.map(({ bars }) => bars.map(({ run, ending }) => `${run} ${ending}`))).toEqual([
    ['a done', 'c open'],
    ['b done'],
  ])
})

test('the picture of nothing is a picture', () => {
  const svg = drawPicture(plan, new History())
  expect(svg).toMatch(/^<svg .*<\/svg>\n$/s)
  expect(svg).not.toMatch(/NaN|Infinity|undefined/)
})

test('the picture shows the kill', () => {
  const svg = drawPicture(plan, killed)
  expect(svg).toContain('worker-1 is killed with 1 child at work; its slots are back 3.0 s later')
  expect(svg).not.toMatch(/NaN|Infinity|undefined/)
})

test('whatever names hold, the picture is well-formed', () => {
  const name = '<b>&"\'\u0000\u001B\uD800'
  const history = historyOf([0, asked(name, name)], [1, start(name, name, 1)])
  const svg = drawPicture(
    { ...plan, repositories: [{ key: `${name}/x`, limit: 1 }, ...plan.repositories] },
    history,
  )
  expect(svg).toContain('&lt;b&gt;&amp;&quot;&#39;\uFFFD\uFFFD\uFFFD')
  const withoutTags = svg.replace(/<\/?[a-z]+(?: [a-z0-9-]+="[^"<]*"| xmlns="[^"]*")*\/?>/gi, '')
  expect(withoutTags).not.toMatch(/[<>]|&(?!(amp|lt|gt|quot|#39);)/)
})
