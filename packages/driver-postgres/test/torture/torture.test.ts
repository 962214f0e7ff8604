import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { torture } from '@slotkeeper/testing/torture'
import { expect, test } from 'vitest'
import { OwnServer } from '../support/own-server.ts'

const SECONDS = Number(process.env.SLOTKEEPER_TORTURE_SECONDS ?? 20)

test(
  'tortured processes on a server that is restarted, killed, crashed, paused, full and cut off keep every rule',
  async () => {
    const server = await OwnServer.start({ max_connections: '100' })
    const disk = await server.onSmallDisk()
    const done: string[] = []
    const faults: Record<string, (ms: number) => Promise<void>> = {
      terminated: () => server.terminateAll(),
      'restarted fast': (ms) => server.restart('SIGINT', ms / 4),
      'restarted at once': (ms) => server.restart('SIGQUIT', ms / 4),
      killed: (ms) => server.restart('SIGKILL', ms / 4),
      crashed: () => server.crash(),
      crowded: (ms) => server.crowd(ms),
      async paused(ms) {
        await server.pause()
        await sleep(ms)
        server.resume()
        await server.answers()
      },
    }
    const deck = Object.entries(faults)
    const report = await torture({
      module: join(import.meta.dirname, 'open-driver.ts'),
      store: disk?.url ?? server.url,
      seconds: SECONDS,
      execArgv: ['--import', join(import.meta.dirname, '..', '..', '..', '..', 'scripts', 'sources.mjs')],
      faults: {
        ...(disk !== undefined && { fill: disk.fill, unfill: disk.unfill }),
        // Three at a time, so that a slow machine meets all of them too.
        async lockFor(ms) {
          for (let n = 0; n < 3; n++) {
            const [name, fault] = deck[done.length % deck.length] as (typeof deck)[0]
            await fault(ms)
            done.push(name)
          }
        },
      },
    })
    console.log(`torture: ${JSON.stringify({ seed: report.seed, server: done, ...report.figures })}`)
    expect(report.figures.grants).toBeGreaterThan(50)
    for (const kind of ['kill', 'stop', 'block', 'limit'] as const)
      expect(report.figures.faults[kind], kind).toBeGreaterThan(0)
    expect(done.length).toBeGreaterThan(2)
    if (disk !== undefined) expect(report.figures.faults.full).toBeGreaterThan(0)
    expect(report.figures.slotsHit).toBeGreaterThan(0)
  },
  SECONDS * 1000 + 240_000,
)
