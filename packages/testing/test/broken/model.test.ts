import { expect, test } from 'vitest'
import { hunt, type Search } from '../../src/model/hunt.ts'
import { closeStore } from './breaking.ts'
import { brokenDrivers } from './broken-drivers.ts'

/** `SLOTKEEPER_BROKEN=all` has all of them tried, and names those that the model test alone does not convict. */
const ALL = process.env.SLOTKEEPER_BROKEN === 'all'

/** Convicted by the model test alone, none of them later than by the first few hundred sequences. */
const CONVICTED = [
  'over-admits by one',
  'does not count unlimited runs',
  'forgets which slot numbers are taken',
  'counts only what its own process granted (SQLite)',
  'gives two grants of one commit the same token',
  'hands the token of the released slot on to the next',
  'counts tokens in each process (SQLite)',
  'forgets the token counter on removal',
  'barges: acquireSlot passes the queue',
  'enqueues whoever only tried',
  'inverts the priorities of one batch',
  'takes no notice of priorities',
  'gives a run that another one holds to whoever asks',
  'frees on an old lease',
  'obeys commands that are no longer valid',
  'forgets at once what was',
  'leaves promotion to whoever looks next',
  'does not close holders',
  'grants to a dead holder',
  'hides overdue rows',
  'lets holders expire at a tenth of their time',
  'revives a dead holder by a late heartbeat',
  'has a clock of its own in each process',
  'drifts: a withdrawn entry goes on being counted',
  'commits half: the slot that ended, but not what the repository counts (SQLite)',
  'sends a slot that was given back to the end of the queue',
  'waits for ever for a claim',
  'folds the case of keys',
  'takes a limit from an older generation',
  'does not keep what a caller noted on a run',
  'reads what was true a moment ago',
  'withdraws nothing',
]

/** What no sequence of calls that follow one another shows, or only a rare one: watches, timers, ends, failures, races. */
const BEYOND_IT = [
  'leaves a timer when it is closed',
  'takes tokens from the wall clock',
  'loses an entry on retry',
  'takes a waiting run out of the queue when its state is set',
  'begins a watch without a resync',
  'drops what a slow reader did not fetch, and says nothing of it',
  'leaves watches open when it is closed',
  'misses wake-ups: drops every other event without a resync',
  'tells of no grant',
  'tells other processes nothing unless they watch the repository (SQLite)',
  'gives what was once claimed by a sweeper to nobody else',
  'lets everybody sweep the same domains',
  'sweeps beyond its budget',
  "uses the client's clock",
  'commits what failed (SQLite)',
  'fails all domains with one',
  'knows no budget',
  'tells a domain as failed that was never tried, as if it might have been',
  'fails when it is closed twice',
  'goes on working when it is closed',
  'does not come to an end when it is closed',
  'makes the schema when it should only check it (SQLite)',
  'swallows failures into empty answers',
  'normalises keys',
  'cuts keys at 255 characters',
  'counts parked entries in a place',
  'hands out its own rows',
]

const EVERYTHING = { removals: true, sweeps: true }
const SEARCH: Search = { cases: 3_000, seed: 7, replay: undefined, shrinkMs: 0 }
const TIMEOUT_MS = 120_000

const tried = brokenDrivers.filter(({ name }) => (ALL ? !BEYOND_IT.includes(name) : CONVICTED.includes(name)))

for (const { rule, name } of tried)
  test(`the model test convicts, of rule ${rule}: ${name}`, { timeout: TIMEOUT_MS }, async () => {
    await expect(convict(name, SEARCH)).rejects.toThrow('SLOTKEEPER_REPLAY')
  })

test('every driver of these lists exists', () => {
  const names = brokenDrivers.map(({ name }) => name)
  expect([...CONVICTED, ...BEYOND_IT].filter((name) => !names.includes(name))).toEqual([])
})

test(
  'a failing sequence is made short, tells its rule and its steps, and comes again by its replay',
  async () => {
    const told = await reportOf({ ...SEARCH, shrinkMs: 15_000 })
    expect(told).toMatch(/^1\. never more live slots than the limit/)
    expect(told).toMatch(/outcome.kind: the driver has "granted", the model "(refused|waiting)"/)
    // A holder, a slot, one too many: neither of the last two can be left out.
    expect(told.match(/^ {5}acquire /gm)).toHaveLength(2)
    const replay = /SLOTKEEPER_REPLAY='(.+)'/.exec(told)?.[1]
    expect(withoutTimes(await reportOf({ ...SEARCH, replay }))).toBe(withoutTimes(told))
  },
  TIMEOUT_MS,
)

function convict(name: string, search: Search, scope = EVERYTHING): Promise<void> {
  const broken = brokenDrivers.find((one) => one.name === name)
  if (broken === undefined) throw new Error(`No broken driver is called ${name}.`)
  return hunt('any', scope, { open: broken.make, cleanup: closeStore }, search)
}

async function reportOf(search: Search): Promise<string> {
  return convict('over-admits by one', search, { removals: false, sweeps: false }).then(
    () => 'acquitted',
    (error: Error) => error.message,
  )
}

/** Store time, and the tokens that come from it, are other ones each time. */
function withoutTimes(report: string): string {
  return report.replace(/\d{6,}(\.\d+)?/g, '…')
}
