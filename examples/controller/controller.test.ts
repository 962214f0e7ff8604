import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chaos } from './chaos.ts'
import { judge } from './judge.ts'

/** `SLOTKEEPER_CONTROLLER_SECONDS=60` for the full minute. */
const SECONDS = Number(process.env.SLOTKEEPER_CONTROLLER_SECONDS ?? 10)
const SEED = Number(process.env.SLOTKEEPER_SEED ?? Math.floor(Math.random() * 2 ** 31))

test(
  'two replicas, killed and restarted at random: the limits hold, no run is lost, none runs twice',
  async () => {
    const { folder, ...report } = await chaos({ seconds: SECONDS, seed: SEED })
    console.log(`SLOTKEEPER_SEED=${SEED}`, JSON.stringify(report))
    expect(report.problems, `SLOTKEEPER_SEED=${SEED}, files in ${folder}`).toEqual([])
    expect(report.left).toBe(0)
    expect(report.runs).toBeGreaterThan(SECONDS)
    expect(report.kills).toBeGreaterThan(0)
  },
  (SECONDS + 130) * 1000,
)

test('the judge sees a run that was lost, one that ran twice, and one too many at once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slotkeeper-judge-'))
  try {
    const journal = join(folder, 'journal')
    const repository = { metadata: { namespace: 'a', name: 'b' }, spec: { concurrencyLimit: 1 } }
    for (const name of ['lost', 'twice', 'first', 'second'])
      writeFileSync(join(folder, `${name}.run.json`), JSON.stringify({ repository }))
    const starts = { twice: ['1', '20'], first: ['3'], second: ['4'] }
    for (const [name, times] of Object.entries(starts))
      writeFileSync(
        join(folder, `${name}.starts`),
        times.map((at) => JSON.stringify({ by: 'x', token: '1', at })).join('\n'),
      )
    const ends = { twice: ['2', '21'], first: ['5'], second: ['6'] }
    const lines = Object.entries(ends).flatMap(([run, times]) =>
      times.map((at) => JSON.stringify({ event: 'ends', run, at })),
    )
    writeFileSync(journal, lines.join('\n'))
    expect(judge(folder, journal)).toMatchObject({
      peaks: { 'a/b': 2 },
      problems: [
        'lost was lost: it was never started',
        'twice was started 2 times: x 1, x 1',
        '2 runs of a/b were at work at once; its limit is 1',
      ],
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
