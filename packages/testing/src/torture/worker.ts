// A worker of the torture: a process with a Manager of its own, many bodies at once, and a controller. It knows nothing of the others.
// It writes down what it sees; its standard input tells it to block, to come to rest and to end.
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { isSlotkeeperError, type Logger, Manager, silentLogger } from '@slotkeeper/core'
import type { Driver } from '@slotkeeper/core/driver'
import { Random } from '../conformance/random.ts'
import type { Assignment } from './assignment.ts'
import { Bodies } from './bodies.ts'
import { control } from './controller.ts'
import { appender, machineMs, type Said, type TortureLine } from './lines.ts'
import { wish } from './wishes.ts'

const assignment = JSON.parse(process.argv[2] as string) as Assignment
const append = appender<TortureLine>(assignment.log)
const say = (said: Said, at = machineMs()) => append({ at, by: assignment.name, ...said })

const { openDriver } = (await import(pathToFileURL(assignment.module).href)) as {
  openDriver(store: string): Driver | Promise<Driver>
}
const manager = new Manager({
  driver: await openDriver(assignment.store),
  label: assignment.name,
  holderTtlMs: assignment.ttlMs,
  callTimeoutMs: 4000,
  logger: loggerOf(),
})
const bodies = new Bodies(assignment, manager, say, new Random(assignment.seed))
const resting = new AbortController()
const ending = new AbortController()

const commands = createInterface({ input: process.stdin })
commands.on('line', (line) => {
  const [command, argument] = line.split(' ')
  if (command === 'block') block(Number(argument))
  else if (command === 'rest') resting.abort()
  else if (command === 'end') void end()
})
// The conductor is gone: nobody wants this any more.
commands.on('close', () => {
  if (!ending.signal.aborted) process.exit(1)
})

await openStore()
say({ event: 'opened' })
const controlling = control(bodies, ending.signal)
await Promise.all(
  Array.from({ length: assignment.wishers }, async () => {
    while (!resting.signal.aborted) await wish(bodies)
  }),
)
say({ event: 'idle' })

/** The store may be away just when this process starts. */
async function openStore(): Promise<void> {
  for (;;)
    try {
      await manager.health()
      return
    } catch (error) {
      if (!isSlotkeeperError(error) || !error.retryable) throw error
      await sleep(20)
    }
}

/** Ends by closing the Manager, and leaves the rest to Node.js: whatever keeps the process alive now is a leak. */
async function end(): Promise<void> {
  ending.abort()
  await controlling
  await manager.close()
  say({ event: 'ended' })
  commands.close()
  process.stdin.destroy()
}

/** An event loop that does nothing: no heartbeat, no abort. */
function block(ms: number): void {
  say({ event: 'blocked' })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  say({ event: 'unblocked' })
}

function loggerOf(): Logger {
  const note = (fields: object) => {
    const { event, holder, reason, error, code } = fields as Record<string, unknown>
    if (event === 'holder-lost') say({ event, holder: String(holder), reason: String(reason) })
    else if (code !== undefined) say({ event: 'error', what: String(event), code: String(code) })
    else if (isSlotkeeperError(error)) say({ event: 'error', what: String(event), code: error.code })
  }
  return { ...silentLogger, warn: note, error: note }
}
