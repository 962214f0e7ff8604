import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createDecide } from '../../src/decide/decide.ts'
import { RecordedSection } from '../../src/recorded-section.ts'
import { again } from './support/callers.ts'
import { REPOSITORY, Scene } from './support/commands.ts'
import { program } from './support/program.ts'
import { RECORD_TTL_MS, World } from './support/world.ts'

const CASES = Number(process.env.SLOTKEEPER_CASES ?? 4000)
const options = { numRuns: Math.max(1, Math.round(CASES / 40)) }
const timeout = 60_000 + CASES * 10

test('12. what a withdrawn ticket led to is ended, and the ticket leads to nothing when it comes late', {
  timeout,
}, () => {
  const mode = fc.constantFrom('try' as const, 'wait' as const)
  fc.assert(
    fc.property(
      program({ weights: { acquire: 60 }, steps: 8 }),
      fc.nat(15),
      fc.boolean(),
      mode,
      fc.boolean(),
      ({ limits, steps }, run, arrives, mode, durable) => {
        const world = new World([], limits)
        world.run(steps)
        const scene = new Scene(world)
        const before = scene.row(`run${run}`)
        const acquire = scene.acquire(0, `run${run}`, { mode, durable, limit: 1 })
        if (arrives) scene.send(again(acquire))
        const other = scene.row(`run${run}`)
        scene.send(scene.withdraw(0, `run${run}`, acquire.ticket))
        // Of another's entry or slot there is nothing to be marked.
        if (!arrives && other !== undefined && other.phase !== 'record') return
        if (world.store.domain(REPOSITORY).repository?.status !== 'present') return
        const row = scene.row(`run${run}`)
        expect(
          row !== undefined && row.phase !== 'record' && (row.grantedTo ?? row.ticket) === acquire.ticket,
        ).toBe(false)
        if (arrives && before !== undefined && before.phase !== 'record') return
        scene.send(acquire)
        const late = scene.row(`run${run}`)
        expect(
          late !== undefined && late.phase !== 'record' && (late.grantedTo ?? late.ticket) === acquire.ticket,
          JSON.stringify([acquire, row, late]),
        ).toBe(false)
      },
    ),
    options,
  )
})

test('the same facts and commands give the same decision, and a page of copies the same as a page of one object', {
  timeout,
}, () => {
  const decide = createDecide({ recordTtlMs: RECORD_TTL_MS })
  fc.assert(
    fc.property(program({ steps: 8 }), ({ limits, steps }) => {
      const last = steps.at(-1)
      if (last === undefined) return
      const world = new World([], limits)
      world.run(steps.slice(0, -1))
      const commands = world.callers.send(last)
      const decideOn = (shared: boolean) => {
        const own = commands.map(again)
        const facts = world.store.load(`acme/${last.domain}`, own, last.budget, { ...last, shared })
        const section = new RecordedSection(facts, { budget: last.budget, by: undefined })
        const decision = decide(section, own)
        return JSON.stringify([decision, section.changes(), own])
      }
      expect(decideOn(true)).toBe(decideOn(true))
      expect(decideOn(false)).toBe(decideOn(true))
    }),
    options,
  )
})
