import assert from 'node:assert/strict'
import { type RepositoryKey, type RunKey, repository } from '@slotkeeper/core'
import { acquire, enqueue } from './commands.ts'
import { grantedTo } from './lab.ts'
import type { Rule } from './rule.ts'

/** Pieces that some store or shell somewhere takes for something else. */
const PIECES = [
  "'; drop table concurrency_slots; --",
  '%_%',
  '..',
  '.',
  '*',
  '__proto__',
  'constructor',
  'toString',
  '$(reboot)`reboot`',
  '"quoted" \\back\\slash',
  'new\nline\ttab\r',
  '\u0001\u001f\u007f',
  ' space around ',
  '\u00e9',
  'e\u0301',
  'ÀÉ',
  'àé',
  'ß',
  'SS',
  'İ',
  '名前',
  '👩‍👩‍👧',
  '\u{10ffff}',
  '\ufeff',
  '\uffff',
  '\u202e',
  ':',
  '::',
  '|',
  '~',
  '\u00a0',
  'null',
  'undefined',
  'NaN',
  '0',
  '-1',
  '{}',
  '?',
  '#',
  '%2F',
  '&amp;',
]

/** Pairs that become one when a driver joins, cuts, folds or normalizes. */
const COLLIDING: readonly (readonly [RepositoryKey, RepositoryKey])[] = [
  ['a/b', 'a/bc'],
  ['ab/c', 'a/bc'],
  ['a/b', 'A/b'],
  ['a/b', 'a/b '],
  ['a/\u00e9', 'a/e\u0301'],
  ['a/b', 'a/b:'],
  ['a:b/c', 'a/b:c'],
  ['a/b%2Fc', 'a/b%2fc'],
  ['a/_', 'a/%'],
  ['a/\uff21', 'a/A'],
]

const LONGEST = `${'n'.repeat(255)}/${'é'.repeat(128)}` as RunKey

export function identifierRules(rule: Rule): void {
  rule(
    'identifiers: any Unicode text is stored exactly, in repository, run, uid, meta and lease',
    async (lab) => {
      const [a, b] = await lab.managers(2)
      for (const [n, piece] of PIECES.entries()) {
        const repo = repository(`${piece}/${piece}`, { concurrencyLimit: 1 })
        const request = {
          repository: repo,
          run: `${piece}/${n}` as RunKey,
          runUid: piece,
          meta: { [piece]: piece },
        }
        const slot = await grantedTo(a, request)
        const [seen] = await b.getRunningPipelineRuns(repo)
        assert.deepEqual(
          [seen?.repository, seen?.run, seen?.runUid, { ...seen?.meta }, seen?.leaseId],
          [`${piece}/${piece}`, request.run, piece, { ...request.meta }, slot.leaseId],
          JSON.stringify(piece),
        )
        assert.equal(await b.getPipelineRunState(repo, request.run), 'started')
        assert.deepEqual(await b.releaseSlot(slot), { kind: 'released', promoted: [] })
      }
      const keys = (await b.getRepositories()).map((one) => one.repository)
      assert.deepEqual(
        [...keys].sort(),
        PIECES.map((piece) => `${piece}/${piece}`).sort(),
        'as many repositories as there are names',
      )
    },
  )

  rule('identifiers: no two keys collide, neither of repositories nor of runs', async (lab) => {
    const [a, b] = await lab.managers(2)
    for (const [one, two] of COLLIDING) {
      const [first, second] = [one, two].map((key) => repository(key, { concurrencyLimit: 1 }))
      assert.ok(first && second)
      const slots = [
        await grantedTo(a, { repository: first, run: one }),
        await grantedTo(b, { repository: second, run: one }),
      ]
      for (const [at, slot] of slots.entries()) {
        assert.equal(
          (await (at === 0 ? b : a).getCurrentSlots(slot.repository)).running,
          1,
          `${JSON.stringify(one)} and ${JSON.stringify(two)}`,
        )
        await slot.release()
      }
      const wide = repository('acme/wide', { concurrencyLimit: 0 })
      const runs = [
        await grantedTo(a, { repository: wide, run: one }),
        await grantedTo(a, { repository: wide, run: two }),
      ]
      assert.equal(
        (await b.getCurrentSlots(wide)).running,
        2,
        `runs ${JSON.stringify(one)} and ${JSON.stringify(two)}`,
      )
      for (const slot of runs) await slot.release()
    }
  })

  rule('identifiers: keys of 512 bytes are stored, whatever else is as long', async (lab) => {
    const [desk, other] = await lab.desks(2)
    assert.equal(Buffer.byteLength(LONGEST), 512)
    const holder = await desk.holder()
    const meta = { note: 'x'.repeat(4000) }
    const asked = acquire({
      repository: LONGEST,
      run: LONGEST,
      runUid: LONGEST,
      meta,
      ticket: desk.ticket(),
      holder,
    })
    assert.equal((await desk.send(asked)).kind, 'granted')
    await desk.send(
      enqueue({ repository: LONGEST, run: `${LONGEST.slice(0, -1)}e` as RunKey, ticket: desk.ticket() }),
    )
    const row = await other.row(LONGEST, LONGEST)
    assert.deepEqual(
      [row?.repository, row?.run, row?.runUid, { ...row?.meta }],
      [LONGEST, LONGEST, LONGEST, meta],
    )
    assert.deepEqual((await other.repository(LONGEST))?.waiting, 1)
  })

  rule('identifiers: what no store can keep exactly is refused before any I/O', async (lab) => {
    const { manager, faults } = await lab.faulty()
    const before = { ...faults.called }
    const ok = repository('acme/api', { concurrencyLimit: 1 })
    const bad = [
      '',
      '/',
      'a',
      'a/',
      '/b',
      'a/b/c',
      'a/\0',
      'a/\ud800',
      'a/\udc00x',
      `a/${'x'.repeat(511)}`,
      `a/${'é'.repeat(256)}`,
      7,
      null,
      undefined,
      {},
    ]
    for (const key of bad as RunKey[]) {
      const refusal = { code: 'SLOTKEEPER_INVALID_ARGUMENT', retryable: false }
      assert.throws(() => repository(key as RepositoryKey), refusal, JSON.stringify(key))
      await assert.rejects(manager.acquireSlot({ repository: ok, run: key }), refusal, JSON.stringify(key))
      await assert.rejects(manager.waitForSlot({ repository: ok, run: key }), refusal)
      await assert.rejects(manager.queueManager.addListToRunningQueue(ok, [key]), refusal)
      await assert.rejects(manager.queueManager.removeFromQueue(ok, key), refusal)
      await assert.rejects(manager.setPipelineRunState(ok, key, 'queued'), refusal)
      await assert.rejects(manager.getPipelineRunState(ok, key), refusal)
      await assert.rejects(manager.getCurrentSlots(key as RepositoryKey), refusal)
      await assert.rejects(manager.cleanupRepository(key as RepositoryKey), refusal)
    }
    for (const request of [
      { priority: 0.5 },
      { priority: 2 ** 31 },
      { maxHoldMs: 0 },
      { runUid: '' },
      { runUid: 'a\0' },
      { meta: { a: '\ud800' } },
    ])
      await assert.rejects(manager.acquireSlot({ repository: ok, run: 'a/b', ...request }), {
        code: 'SLOTKEEPER_INVALID_ARGUMENT',
      })
    for (const limit of [-1, 0.5, Number.NaN, 2 ** 53, '2' as unknown as number])
      assert.throws(() => repository('a/b', { concurrencyLimit: limit }), {
        code: 'SLOTKEEPER_INVALID_ARGUMENT',
      })
    assert.deepEqual(faults.called, before, 'the driver was not called')
  })
}
