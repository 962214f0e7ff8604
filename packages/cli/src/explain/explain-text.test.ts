import { expect, test } from 'vitest'
import type { ExplainReport } from './explain-report.ts'
import { explainText } from './explain-text.ts'

const at = '2026-11-21T09:00:00.000Z'
const entry = (place: number) => ({
  place,
  run: `a/${place}`,
  priority: 0,
  holder: null,
  durable: true,
  since: at,
  parkedUntil: null,
  meta: {},
})
const report = (fields: Partial<ExplainReport>): ExplainReport => ({
  store: 'sqlite:/x',
  at,
  repository: 'a/b',
  run: 'a/me',
  kind: 'waiting',
  summary: 'a/me waits.',
  state: 'queued',
  repositoryState: 'active',
  limit: 1,
  live: 1,
  since: at,
  place: 31,
  placeIsAtLeast: false,
  priority: 0,
  parkedUntil: null,
  slot: null,
  holders: [],
  ahead: Array.from({ length: 30 }, (_, index) => entry(index + 1)),
  ending: null,
  successor: null,
  ...fields,
})

test('of many that go before a run the first twenty are shown, and the others counted', () => {
  const text = explainText(report({}), false)
  expect(text).toMatch(/ 20 {2}a\/20 /)
  expect(text).not.toContain('a/21')
  expect(text).toMatch(/\n… and 10 more\n$/)
})

test('a place that is only known to be far behind is told so', () => {
  expect(explainText(report({ place: 1001, placeIsAtLeast: true }), false)).toMatch(
    /\n… and at least 980 more\n$/,
  )
})

test('a run that is passed over is told who holds the slots, and one that is over who got its place', () => {
  expect(explainText(report({ kind: 'parked', place: null, ahead: [] }), false)).toMatch(
    /^a\/me waits\.\nSince .*, priority 0\.\n\nNo slot is taken\.\n$/,
  )
  const over = report({ kind: 'ended', priority: null, place: null, ahead: [], successor: 'a/\x1bnext' })
  expect(explainText(over, false)).toMatch(/; a\/\ufffdnext got its place\.\n$/)
})
