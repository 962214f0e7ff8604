import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { after, now } from '../src/supervision/deadline.ts'
import { listen, type Order, type Report, send } from '../src/supervision/messages.ts'
import { processes, type Scene, test } from './scene.ts'

const SUPERVISOR = fileURLToPath(new URL('../dist/supervisor.js', import.meta.url))
const WORK = fileURLToPath(new URL('./work.sh', import.meta.url))

/** A supervisor, without a wrapper that decides anything. */
class Supervisor {
  readonly child: ChildProcess
  readonly reports: Report[] = []
  readonly #pipe: Duplex
  readonly #scene: Scene

  constructor(scene: Scene) {
    this.#scene = scene
    this.child = spawn(process.execPath, [SUPERVISOR], {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    })
    this.#pipe = this.child.stdio[3] as Duplex
    listen<Report>(
      this.#pipe,
      (report) => this.reports.push(report),
      () => {},
    )
  }

  tell(order: Order): void {
    send(this.#pipe, order)
  }

  /** Has a stubborn work started, under a lease that lasts for so many ms. */
  start(forMs: number, graceMs: number): void {
    const env = { ...(process.env as Record<string, string>), SCENE: this.#scene.directory }
    this.tell({
      kind: 'start',
      command: 'sh',
      args: [WORK, 'w', 'stubborn'],
      env,
      graceMs,
      deadline: after(now(), forMs),
    })
  }

  hears(kind: Report['kind']): Promise<void> {
    return this.#scene.until(kind, () => this.reports.some((report) => report.kind === kind))
  }

  /** As when its wrapper is killed. */
  cut(): void {
    this.#pipe.destroy()
  }
}

test.concurrent('SIGTERM comes a grace before the deadline, and SIGKILL before the margin behind it is used up', async ({
  scene,
}) => {
  const supervisor = new Supervisor(scene)
  await supervisor.hears('ready')
  const startedAt = performance.now()
  supervisor.start(2000, 800)
  const group = await scene.groupOf('w')
  await scene.until('SIGTERM', () => scene.count('w', 'TERM') === 1)
  const termAt = performance.now() - startedAt
  await scene.until('the group is gone', () => processes({ group }).length === 0)
  const goneAt = performance.now() - startedAt
  expect(termAt).toBeGreaterThan(1150)
  expect(goneAt).toBeGreaterThan(1950) // it was given its grace
  expect(goneAt).toBeLessThan(2000 + 2000) // a busy machine's time to see it
  await supervisor.hears('over')
  expect(supervisor.reports.at(-1)).toEqual({ kind: 'over', exitCode: null, signal: 'SIGKILL', ended: true })
})

test.concurrent('a heartbeat extends the deadline', async ({ scene }) => {
  const supervisor = new Supervisor(scene)
  await supervisor.hears('ready')
  supervisor.start(1500, 100)
  await scene.groupOf('w')
  supervisor.tell({ kind: 'extend', deadline: after(now(), 60_000) })
  const until = performance.now() + 1600
  await scene.until('the first deadline is over', () => performance.now() > until)
  expect(scene.count('w', 'TERM')).toBe(0)
  expect(supervisor.reports.map(({ kind }) => kind)).toEqual(['ready', 'started'])
})

test.concurrent('a command is not started until the lease leaves it time, and not at all when the lease is lost', async ({
  scene,
}) => {
  const [lucky, unlucky] = [new Supervisor(scene), new Supervisor(scene)]
  await Promise.all([lucky.hears('ready'), unlucky.hears('ready')])
  unlucky.start(50, 100)
  unlucky.tell({ kind: 'end', withinMs: 0 })
  await unlucky.hears('over')
  expect(scene.count('w', 'start')).toBe(0)
  lucky.start(50, 100)
  lucky.tell({ kind: 'extend', deadline: after(now(), 60_000) })
  await scene.groupOf('w')
})

test.concurrent('the end of the pipe ends the command, and then the supervisor', async ({ scene }) => {
  const supervisor = new Supervisor(scene)
  await supervisor.hears('ready')
  supervisor.start(3000, 100)
  const group = await scene.groupOf('w')
  supervisor.cut()
  await scene.until(
    'both are gone',
    () => supervisor.child.exitCode === 0 && processes({ group }).length === 0,
  )
})
