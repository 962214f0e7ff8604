import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { torture } from '@slotkeeper/testing/torture'
import { expect, test } from 'vitest'
import { leaderOf, ownCluster } from '../support/cluster.ts'

const SECONDS = Number(process.env.SLOTKEEPER_TORTURE_SECONDS ?? 20)

test(
  'tortured processes on a cluster whose members are killed and stand still keep every rule',
  async () => {
    const cluster = await ownCluster({ members: 3, fsync: true })
    const done: string[] = []
    const faults: Record<string, (ms: number) => Promise<void>> = {
      async 'leader killed'(ms) {
        const leader = await leaderOf(cluster)
        await leader.stop('SIGKILL')
        await sleep(ms / 4)
        await leader.start()
      },
      async 'leader paused'(ms) {
        const leader = await leaderOf(cluster)
        leader.pause()
        await sleep(ms)
        leader.resume()
      },
      async 'majority paused'(ms) {
        const [, ...others] = cluster.members
        for (const member of others) member.pause()
        await sleep(ms)
        for (const member of others) member.resume()
      },
      async 'all killed'(ms) {
        await Promise.all(cluster.members.map((member) => member.stop('SIGKILL')))
        await sleep(ms / 4)
        await Promise.all(cluster.members.map((member) => member.start()))
      },
    }
    const deck = Object.entries(faults)
    const report = await torture({
      module: join(import.meta.dirname, 'open-driver.ts'),
      store: cluster.endpoints.join(','),
      seconds: SECONDS,
      ttlMs: 3000,
      execArgv: ['--import', join(import.meta.dirname, '..', '..', '..', '..', 'scripts', 'sources.mjs')],
      faults: {
        async lockFor(ms) {
          for (let n = 0; n < 2; n++) {
            const [name, fault] = deck[done.length % deck.length] as (typeof deck)[0]
            await fault(ms)
            done.push(name)
          }
        },
      },
    })
    console.log(`torture: ${JSON.stringify({ seed: report.seed, cluster: done, ...report.figures })}`)
    expect(report.figures.grants).toBeGreaterThan(50)
    for (const kind of ['kill', 'stop', 'block', 'limit'] as const)
      expect(report.figures.faults[kind], kind).toBeGreaterThan(0)
    expect(done.length).toBeGreaterThan(1)
    expect(report.figures.slotsHit).toBeGreaterThan(0)
  },
  SECONDS * 1000 + 240_000,
)
