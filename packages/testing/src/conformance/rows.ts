import assert from 'node:assert/strict'
import type { RepositoryRow, RunRow } from '@slotkeeper/core/driver'
import { type Plain, plainRepository, plainRun } from '../model/allowances.ts'
import {
  API,
  acquire,
  claim,
  enqueue,
  limit,
  release,
  repositoryState,
  requeue,
  runState,
} from './commands.ts'
import { run } from './lab.ts'
import type { Rule } from './rule.ts'

export function rowRules(rule: Rule): void {
  rule('reads: rows are stored exactly as they were decided, in every phase', async (lab) => {
    const [desk, other] = await lab.desks(2)
    const holder = await desk.holder()
    const decided = new Map<string, RunRow>()
    let record: Plain | undefined
    const { decide } = desk
    desk.decide = (section, commands) => {
      const decision = decide(section, commands)
      for (const command of commands) {
        const row = 'run' in command ? section.run(command.repository, command.run) : undefined
        if (row !== undefined) decided.set(row.run, kept(row))
      }
      for (const row of decision.granted) decided.set(row.run, kept(row))
      const repository = section.repository(API)
      record = repository && plainRepository(repository)
      return decision
    }
    const meta = { 'key with "quotes"': 'välue', __proto__: 'x', empty: '' }
    const asks = {
      full: acquire({
        run: run('full'),
        ticket: desk.ticket(),
        holder,
        mode: 'wait',
        durable: true,
        priority: -(2 ** 31),
        maxHoldMs: 2 ** 31 - 1,
        runUid: 'uid',
        meta,
        claimTimeoutMs: 1234,
        leaseTtlMs: 2 ** 31 - 1,
        proposal: { limit: 3, uid: 'r', generation: 7 },
      }),
      bare: acquire({
        run: run('bare'),
        ticket: desk.ticket(),
        holder,
        proposal: { limit: 3, uid: 'r', generation: 7 },
      }),
      reserved: enqueue({
        run: run('reserved'),
        ticket: desk.ticket(),
        priority: 2 ** 31 - 1,
        proposal: { limit: 3, uid: 'r', generation: 7 },
      }),
      waiting: enqueue({
        run: run('waiting'),
        ticket: desk.ticket(),
        proposal: { limit: 3, uid: 'r', generation: 7 },
      }),
      parked: enqueue({
        run: run('parked'),
        ticket: desk.ticket(),
        priority: 1,
        proposal: { limit: 3, uid: 'r', generation: 7 },
      }),
    }
    for (const command of Object.values(asks)) await desk.send(command)
    await desk.send(runState({ run: run('noted'), ticket: desk.ticket(), state: 'started', runUid: 'other' }))
    const token = decided.get(run('bare'))?.token as number
    await desk.send(release({ run: run('bare'), token, ticket: desk.ticket(), state: 'cancelled' }))
    const parked = decided.get(run('parked'))
    assert.equal(parked?.phase, 'reserved')
    await desk.send(
      requeue({
        run: run('parked'),
        token: parked?.token as number,
        delayMs: 3_600_000,
        ticket: desk.ticket(),
      }),
    )
    await desk.send(
      claim({
        run: run('reserved'),
        token: decided.get(run('reserved'))?.token as number,
        ticket: desk.ticket(),
        holder,
      }),
    )
    await desk.send(limit({ ticket: desk.ticket(), source: 'global', proposal: { limit: 9 } }))
    await desk.send(repositoryState({ ticket: desk.ticket(), state: 'draining' }))
    for (const [name, row] of decided)
      assert.deepEqual(kept((await other.row(API, name as RunRow['run'])) as RunRow), row, name)
    assert.deepEqual(plainRepository((await other.repository(API)) as RepositoryRow), record)
    const phases = [...decided.values()].map((row) => row.phase)
    assert.deepEqual(
      new Set(phases),
      new Set(['running', 'waiting', 'record', ...(phases.includes('reserved') ? ['reserved'] : [])]),
    )
  })

  rule('reads: what was read does not change when the store does', async (lab) => {
    const desk = await lab.desk()
    const holder = await desk.holder()
    const outcome = await desk.send(
      acquire({ run: run(1), ticket: desk.ticket(), holder, proposal: { limit: 5 } }),
    )
    assert.ok(outcome.kind === 'granted')
    const before = await desk.read(API)
    const kept = structuredClone({ ...before })
    await desk.send(acquire({ run: run(2), ticket: desk.ticket(), holder, proposal: { limit: 5 } }))
    await desk.send(release({ run: run(1), token: outcome.row.token, ticket: desk.ticket() }))
    assert.deepEqual(structuredClone({ ...before }), kept)
    const read = await desk.read(API)
    for (const row of read.runs as RunRow[]) row.phase = 'record'
    for (const row of read.repositories as RepositoryRow[]) row.live = 99
    assert.equal(
      (await desk.repository(API))?.live,
      1,
      'whoever changes what he read changes nothing in the store',
    )
  })
}

/** A row as what a store has to keep of it: the fields of the contract, whatever else a driver keeps with them. */
function kept(row: RunRow): RunRow {
  return plainRun(row) as unknown as RunRow
}
