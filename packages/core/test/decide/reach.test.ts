import fc from 'fast-check'
import { expect, test } from 'vitest'
import { program } from './support/program.ts'
import { decided } from './support/telling.ts'
import { World } from './support/world.ts'

test('the drawn programs bring about every kind of event, of outcome, and of trouble', () => {
  const seen = new Map<string, number>()
  const saw = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
  const rule = {
    committed: ({ changes, commands, decision, facts, ...commit }: Parameters<typeof decided>[0]) => {
      for (const event of changes.events) saw(`event ${event.kind}`)
      for (const { kind, outcome } of decided({ changes, commands, decision, facts, ...commit }))
        saw(outcome?.kind === 'refused' ? `${kind}: refused ${outcome.reason}` : `${kind}: ${outcome?.kind}`)
      if (decision.decided < commands.length) saw('trouble: commands left')
      if (decision.granted.length > 1) saw('trouble: several promotions')
      if (facts.headsCut) saw('trouble: heads cut')
      if (facts.overdueCut) saw('trouble: overdue cut')
      if (changes.buried.length > 0) saw('trouble: buried')
      if (changes.bumped.length > 0) saw('trouble: bumped')
      if (changes.droppedRepositories.length > 0) saw('trouble: repository dropped')
      if (commit.left <= 3) saw('trouble: budget used up')
    },
  }
  fc.assert(
    fc.property(program(), ({ limits, steps }) => new World([rule], limits).run(steps)),
    { numRuns: 1500, seed: 42 },
  )
  if (process.env.SLOTKEEPER_SHOW !== undefined) console.log([...seen].sort().map(([what, count]) => `${count}\t${what}`).join('\n'))
  expect([...seen.keys()]).toEqual(expect.arrayContaining([]))
})
