import assert from 'node:assert/strict'
import { numbersOf, type RepositoryKey } from '@slotkeeper/core/driver'
import type { Desk } from './desk.ts'

/** Counts the rows of a repository again and compares them with what its own row says. */
export async function audit(desk: Desk, repository: RepositoryKey): Promise<void> {
  const { repositories, runs } = await desk.read(repository)
  const row = repositories[0]
  if (row === undefined) return assert.deepEqual(runs, [], 'rows of a repository that has none itself')
  const slots = runs.filter(
    ({ phase }) => phase === 'running' || phase === 'reserved' || phase === 'orphaned',
  )
  const waiting = runs.filter(({ phase }) => phase === 'waiting')
  const numbers = slots.map((slot) => slot.number).filter((number) => number > 0)
  assert.deepEqual(
    {
      live: row.live,
      reserved: row.reserved,
      orphaned: row.orphaned,
      waiting: row.waiting,
      parked: row.parked,
      numbers: row.numbers,
    },
    {
      live: slots.length,
      reserved: slots.filter(({ phase }) => phase === 'reserved').length,
      orphaned: slots.filter(({ phase }) => phase === 'orphaned').length,
      waiting: waiting.length,
      parked: waiting.filter(({ dueAt }) => dueAt !== undefined).length,
      numbers: numbersOf(numbers),
    },
    `13. what ${repository} counts is not what its rows are`,
  )
  assert.equal(
    new Set(numbers).size,
    numbers.length,
    `13. ${repository} gave a slot number twice: ${numbers}`,
  )
  for (const { token, sequence, run } of runs)
    assert.ok(
      token <= row.lastToken && sequence <= row.lastSequence,
      `13. ${run} is ahead of the counters of ${repository}`,
    )
  for (const { holder, durable, phase, run } of runs)
    assert.equal(
      holder !== undefined,
      phase === 'running' || (phase === 'waiting' && !durable),
      `13. ${run} has the wrong holder for ${phase}`,
    )
}
