import { expect, test } from 'vitest'
import { History } from './history.ts'
import { type Check, judge } from './judge.ts'
import type { Plan } from './plan.ts'
import type { LogLine, Said } from './run-log.ts'

const TTL_MS = 3000

const plan: Plan = {
  repositories: [
    { key: 'acme/one', limit: 1 },
    { key: 'acme/two', limit: 2 },
    { key: 'acme/free', limit: 0 },
  ],
  runs: [
    ...['a', 'b', 'c'].map((name) => runOf('acme/one', name)),
    ...['d', 'e', 'f'].map((name) => runOf('acme/two', name)),
    runOf('acme/free', 'g'),
  ],
}

function runOf(repository: `${string}/${string}`, name: string, priority = 0) {
  return { run: `acme/${name}`, repository, priority, seconds: 1 } as const
}

/** Writes a log as workers and children do; every line comes 10 ms after the one before. */
class Script {
  readonly lines: LogLine[] = []
  at = 1000

  say(line: Said): this {
    this.at += 10
    this.lines.push({ at: this.at, ...line } as LogLine)
    return this
  }

  asked(repository: string, name: string, worker = 'worker-1', priority = 0): this {
    return this.say({ event: 'asked', worker, repository, run: `acme/${name}`, priority })
  }

  queued(repository: string, name: string, worker = 'worker-1'): this {
    return this.say({ event: 'queued', worker, repository, run: `acme/${name}` })
  }

  start(repository: string, name: string, token: number, slot?: number, worker = 'worker-1'): this {
    const run = `acme/${name}`
    const numbered = slot === undefined ? {} : { slot }
    return this.say({
      event: 'start',
      worker,
      repository,
      run,
      pid: pidOf(token),
      token: `${token}`,
      ...numbered,
    })
  }

  end(name: string, token: number, outcome: 'done' | 'stopped' = 'done'): this {
    return this.say({ event: 'end', outcome, run: `acme/${name}`, pid: pidOf(token) })
  }

  wait(ms: number): this {
    this.at += ms
    return this
  }

  kill(worker: string): this {
    return this.say({ event: 'kill', worker, pid: 7 })
  }
}

function pidOf(token: number): number {
  return 1000 + token
}

/** Everything as it should be; `a` is killed and done again by another worker. */
function honest(): Script {
  return new Script()
    .asked('acme/one', 'a', 'worker-2')
    .start('acme/one', 'a', 11, 1, 'worker-2')
    .asked('acme/one', 'b')
    .asked('acme/one', 'c')
    .queued('acme/one', 'b')
    .queued('acme/one', 'c')
    .asked('acme/two', 'd')
    .asked('acme/two', 'e')
    .asked('acme/two', 'f')
    .asked('acme/free', 'g')
    .start('acme/two', 'd', 21, 1)
    .start('acme/two', 'e', 22, 2)
    .start('acme/free', 'g', 31)
    .kill('worker-2')
    .end('a', 11, 'stopped')
    .asked('acme/one', 'a', 'worker-3')
    .end('d', 21)
    .start('acme/two', 'f', 23, 1)
    .end('e', 22)
    .end('f', 23)
    .end('g', 31)
    .wait(3000)
    .start('acme/one', 'b', 12, 1)
    .end('b', 12)
    .start('acme/one', 'c', 13, 1)
    .end('c', 13)
    .start('acme/one', 'a', 14, 1, 'worker-3')
    .end('a', 14)
}

function verdictOf(lines: readonly (LogLine | string)[], of = plan) {
  const history = new History()
  for (const line of lines) history.add(typeof line === 'string' ? line : JSON.stringify(line))
  return judge(of, history, { ttlMs: TTL_MS })
}

/** Each check that failed, with its violations. */
function convicted(lines: readonly (LogLine | string)[], of = plan): Partial<Record<Check['name'], string>> {
  return Object.fromEntries(
    verdictOf(lines, of)
      .checks.filter(({ violations }) => violations.length > 0)
      .map(({ name, violations }) => [name, violations.join('\n')]),
  )
}

/** The honest log with some lines changed, or left out where `change` answers undefined. */
function changed(change: (line: LogLine) => object | undefined): LogLine[] {
  return honest().lines.flatMap((line) => (change(line) ?? []) as LogLine | LogLine[])
}

function isStart(line: LogLine, name: string): line is LogLine & { event: 'start' } {
  return line.event === 'start' && line.run === `acme/${name}`
}

test('an honest log is acquitted, and its figures are told', () => {
  const { checks, repositories, kill } = verdictOf(honest().lines)
  expect(checks.flatMap(({ violations }) => violations)).toEqual([])
  expect(repositories[0]).toMatchObject({ peak: 1, runs: 3, done: 3, children: 4, stopped: 1 })
  expect(repositories[1]).toMatchObject({ peak: 2, children: 3, orderedPairs: 3, pairs: 3 })
  expect(repositories[2]).toMatchObject({ peak: 1, limit: 0 })
  expect(kill).toMatchObject({ worker: 'worker-2', slots: 1, childrenGoneMs: 10, given: 1 })
  expect(kill.givenAfterMs).toBeGreaterThan(TTL_MS)
})

test('more children than the limit', () => {
  const log = new Script()
    .asked('acme/two', 'd')
    .asked('acme/two', 'e')
    .asked('acme/two', 'f')
    .start('acme/two', 'd', 21, 1)
    .start('acme/two', 'e', 22, 2)
    .start('acme/two', 'f', 23, 2)
  expect(convicted(log.lines).limit).toContain(
    'acme/two has the limit 2, and at line 6 of the log 3 children',
  )
})

test('a child that outlives its killed worker counts against the limit until it has ended', () => {
  const { lines } = honest()
  const stop = lines.findIndex((line) => line.event === 'end' && line.outcome === 'stopped')
  const [late] = lines.splice(stop, 1)
  const next = lines.findIndex((line) => isStart(line, 'b'))
  lines.splice(next + 1, 0, { ...(late as LogLine), at: (lines[next] as LogLine).at + 1 })
  expect(Object.keys(convicted(lines))).toEqual(['limit', 'tokens', 'killed worker'])
})

test('a token given twice', () => {
  const log = changed((line) => (isStart(line, 'e') ? { ...line, token: '21' } : line))
  expect(convicted(log).tokens).toContain('acme/two gave token 21 to acme/d and to acme/e.')
})

test('a token lower than that of the child before in the slot', () => {
  const log = changed((line) => (isStart(line, 'f') ? { ...line, token: '20' } : line))
  expect(convicted(log).tokens).toContain('the token 20, lower than')
})

test('two children that start in the other order than they were granted are acquitted', () => {
  const { lines } = honest()
  const d = lines.findIndex((line) => isStart(line, 'd'))
  const [first, second] = lines.splice(d, 2)
  lines.splice(d, 0, second as LogLine, first as LogLine)
  expect(convicted(lines)).toEqual({})
})

test('a slot number given to two children at a time, one beyond the limit, none, and one where there is no limit', () => {
  const numbered = (name: string, slot: number | undefined) =>
    convicted(changed((line) => (isStart(line, name) ? { ...line, slot } : line))).tokens
  expect(numbered('e', 1)).toContain('gave slot number 1 to acme/e while acme/d was at work under it')
  expect(numbered('e', 3)).toContain('it has 1 to 2')
  expect(numbered('e', undefined)).toContain('gave acme/e the slot number (none)')
  expect(numbered('g', 1)).toContain('acme/free has no limit')
})

test('one who asked later goes first', () => {
  const log = changed((line) =>
    isStart(line, 'b') ? { ...line, token: '13' } : isStart(line, 'c') ? { ...line, token: '12' } : line,
  )
  expect(convicted(log).order).toContain('let acme/c (priority 0) go before acme/b')
})

test('another worker that asked after a run was known to wait goes first', () => {
  const log = changed((line) =>
    isStart(line, 'c')
      ? { ...line, token: '14' }
      : isStart(line, 'a') && line.token === '14'
        ? { ...line, token: '13' }
        : line,
  )
  expect(convicted(log).order).toContain('let acme/a (priority 0) go before acme/c')
})

test('a waiting run of higher priority is passed over', () => {
  const of = {
    ...plan,
    runs: [runOf('acme/one', 'a'), runOf('acme/one', 'b'), runOf('acme/one', 'c', 5)],
  }
  const log = (second: string, third: string) =>
    new Script()
      .asked('acme/one', 'a')
      .start('acme/one', 'a', 1, 1)
      .asked('acme/one', 'b')
      .asked('acme/one', 'c', 'worker-2', 5)
      .queued('acme/one', 'c', 'worker-2')
      .end('a', 1)
      .start('acme/one', second, 2, 1, second === 'b' ? 'worker-1' : 'worker-2')
      .end(second, 2)
      .start('acme/one', third, 3, 1, third === 'b' ? 'worker-1' : 'worker-2')
      .end(third, 3).lines
  expect(convicted(log('c', 'b'), of).order).toBeUndefined()
  expect(convicted(log('b', 'c'), of).order).toContain(
    'let acme/b (priority 0) go before acme/c (priority 5)',
  )
})

test('a place that was lost with its holder promises nothing', () => {
  const { lines } = honest()
  const before = lines.findIndex((line) => isStart(line, 'd'))
  lines.splice(before, 0, { at: 1, event: 'holder-lost', worker: 'worker-1' })
  const log = lines.map((line) =>
    isStart(line, 'b') ? { ...line, token: '13' } : isStart(line, 'c') ? { ...line, token: '12' } : line,
  ) as LogLine[]
  expect(convicted(log).order).toBeUndefined()
})

test('a run that was never done, done twice, unknown, or without an end', () => {
  const lost = changed((line) => ('run' in line && line.run === 'acme/c' ? undefined : line))
  expect(convicted(lost)['nothing lost']).toBe('acme/c of acme/one was lost: it has not been done.')
  const twice = changed((line) =>
    line.event === 'end' && line.outcome === 'stopped' ? { ...line, outcome: 'done' } : line,
  )
  expect(convicted(twice)['nothing lost']).toBe('acme/a of acme/one was done 2 times.')
  const unknown = honest().asked('acme/one', 'x').start('acme/one', 'x', 15, 1).end('x', 15).lines
  expect(convicted(unknown)['nothing lost']).toBe('acme/x of acme/one began, and is in no manifest.')
  const open = changed((line) => (line.event === 'end' && line.run === 'acme/g' ? undefined : line))
  expect(convicted(open)['nothing lost']).toContain('has not said its end')
})

test('slots of the killed worker that do not come back although others wait', () => {
  const { lines } = honest()
  const first = lines.findIndex((line) => isStart(line, 'b'))
  const late = lines.map((line, index) => (index < first ? line : { ...line, at: line.at + 8000 }))
  expect(convicted(late)['killed worker']).toContain(
    'had not come back 7.0 s after the kill, though others waited',
  )
})

test('no worker was killed, or one that held nothing', () => {
  const nobody = changed((line) => (line.event === 'kill' ? undefined : line))
  expect(convicted(nobody)['killed worker']).toContain('No worker was killed')
  const idle = changed((line) => (line.event === 'kill' ? { ...line, worker: 'worker-9' } : line))
  expect(convicted(idle)['killed worker']).toBe('worker-9 was killed and held no slot at that moment.')
})

test('lines that are torn, unknown, or say what cannot be', () => {
  const { lines } = honest()
  expect(convicted([...lines, '{"at":1,"eve'])).toHaveProperty('log')
  expect(convicted([...lines, '{"at":1,"event":"dance"}']).log).toContain('event dance is not known')
  expect(
    convicted(changed((line) => (line.event === 'asked' && line.run === 'acme/d' ? undefined : line))).log,
  ).toBe('Line 10 of the log: acme/d began though worker-1 had not asked for it.')
  expect(convicted(changed((line) => (isStart(line, 'd') ? undefined : line))).log).toContain(
    'ended though it had not begun',
  )
})
