import fc from 'fast-check'
import { expect, test } from 'vitest'
import { program } from './support/program.ts'
import { decided } from './support/telling.ts'
import { type Commit, World } from './support/world.ts'

/** A property says nothing about what its programs never bring about. */
test('the drawn programs bring about every kind of event, of outcome, and of trouble', () => {
  const seen = new Map<string, number>()
  const saw = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
  const committed = (commit: Commit) => {
    const { changes, commands, decision, facts, left } = commit
    for (const event of changes.events) saw(`event ${event.kind}`)
    for (const { kind, outcome } of decided(commit))
      saw(outcome?.kind === 'refused' ? `${kind} refused ${outcome.reason}` : `${kind} ${outcome?.kind}`)
    if (decision.decided < commands.length) saw('trouble commands-left')
    if (decision.granted.length > 1) saw('trouble several-promotions')
    if (facts.headsCut) saw('trouble heads-cut')
    if (facts.overdueCut) saw('trouble overdue-cut')
    if (changes.buried.length > 1) saw('trouble several-buried')
    if (changes.bumped.length > 1) saw('trouble several-bumped')
    if (changes.droppedRepositories.length > 0) saw('trouble repository-dropped')
    if (left <= 4) saw('trouble budget-used-up')
  }
  fc.assert(
    fc.property(program(), ({ limits, steps }) => new World([{ committed }], limits).run(steps)),
    { numRuns: 800, seed: 42 },
  )
  if (process.env.SLOTKEEPER_SHOW !== undefined)
    console.log(
      [...seen]
        .sort()
        .map(([what, count]) => `${count}\t${what}`)
        .join('\n'),
    )
  const wanted = Object.entries(WANTED).flatMap(([kind, those]) =>
    those.split(' ').map((that) => `${kind} ${that}`),
  )
  expect(wanted.filter((what) => !seen.has(what))).toEqual([])
})

const WANTED = {
  event:
    'enqueued granted claimed requeued parked unparked withdrawn released expired orphaned adopted removed limit repository-state run-state',
  acquire: 'granted waiting superseded already-held held-elsewhere holder-dead too-late',
  'acquire refused': 'limit queue paused draining removed finished',
  claim: 'running held-elsewhere lost too-late',
  adopt: 'granted held-elsewhere holder-dead too-late',
  'adopt refused': 'absent finished removed',
  requeue: 'requeued not-durable lost',
  release: 'released already-released lost',
  finish: 'finished already-released',
  withdraw: 'withdrawn absent',
  remove: 'removed running absent',
  'run-state': 'set unchanged backwards',
  'repository-state': 'set removed',
  limit: 'set older removed',
  'remove-repository': 'removed absent',
  watch: 'watched',
  trouble:
    'commands-left several-promotions heads-cut overdue-cut several-buried several-bumped repository-dropped budget-used-up',
}
