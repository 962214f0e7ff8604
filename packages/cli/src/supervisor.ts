// The process that stands between a lease and a command: see README.md, "The supervisor". It is the command's parent, in a session of
// its own, where neither the wrapper's end nor a terminal's signal reaches it. It imports nothing that takes long to load.
import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { type Deadline, leftMs } from './supervision/deadline.ts'
import { listen, type Order, type Report, send } from './supervision/messages.ts'
import { countdown, endGroup, isGroupGone, signalGroup } from './supervision/process-group.ts'

/** Timers sleep while the machine does, so the clocks are looked at this often. */
const LOOK_MS = 200
/** How long SIGTERM has to work where the lease leaves the time. */
const GRACE_MS = 5000
/** What a command leaves in its group has so long to end by itself, as `tee` of a process substitution does. */
const LINGER_MS = 1000
/** Only SIGKILL ends the one process that is sure to end the command. */
const IGNORED = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
] as const

type Exit = Pick<Extract<Report, { kind: 'over' }>, 'exitCode' | 'signal'>

const wrapper = new Socket({ fd: 3, readable: true, writable: true })
/** The command's process group, from its start until nothing is left of it. */
let group: number | undefined
let exited: Promise<Exit>
let deadline: Deadline
let graceMs = 0
/** The command that waits for a heartbeat to be started. */
let toStart: Extract<Order, { kind: 'start' }> | undefined
/** When SIGKILL comes at the latest, by performance.now(). Finite once the command is being ended. */
let killAt = Number.POSITIVE_INFINITY
let isLeaseLost = false
let isAlone = false
let timer: NodeJS.Timeout | undefined

function obey(order: Order): void {
  switch (order.kind) {
    case 'start':
      deadline = order.deadline
      graceMs = order.graceMs
      return start(order)
    case 'extend':
      deadline = order.deadline
      return toStart === undefined ? watch() : start(toStart)
    case 'end':
      isLeaseLost = true
      return toStart === undefined ? end(order.withinMs) : refuse()
  }
}

/** Begins once the lease leaves more time than it takes to end the command. */
function start(order: Extract<Order, { kind: 'start' }>): void {
  if (isLeaseLost) return refuse()
  toStart = leftMs(deadline) > graceMs ? undefined : order
  if (toStart !== undefined) return
  const { command, args, env } = order
  // Detached: a session and process group of its own, from before the command's first instruction on.
  const child = spawn(command, args, { detached: true, stdio: 'inherit', env })
  child.once('error', ({ code = '', message }: NodeJS.ErrnoException) =>
    send(wrapper, { kind: 'not-started', code, message }),
  )
  if (child.pid === undefined) return
  group = child.pid
  exited = new Promise((resolve) => child.once('exit', (exitCode, signal) => resolve({ exitCode, signal })))
  send(wrapper, { kind: 'started', group })
  watch()
  void exited.then(linger)
}

function refuse(): void {
  toStart = undefined
  send(wrapper, { kind: 'over', exitCode: null, signal: null, ended: true })
}

/** Ends the command early enough for SIGTERM to work before the lease may be given away. */
function watch(): void {
  clearTimeout(timer)
  if (group === undefined) return
  const left = leftMs(deadline) - graceMs
  if (left > 0) timer = setTimeout(watch, Math.min(left, LOOK_MS))
  else {
    isLeaseLost = true
    end(graceMs)
  }
}

/** What is left of the group when the command itself has ended would go on without a slot. */
async function linger(): Promise<void> {
  if (group === undefined || killAt !== Number.POSITIVE_INFINITY) return
  if (await isGroupGone(group, countdown(LINGER_MS))) await over()
  else end(GRACE_MS)
}

/** SIGTERM now, SIGKILL after the given time, or before that when the lease ends. */
function end(withinMs: number): void {
  const isFirst = killAt === Number.POSITIVE_INFINITY
  killAt = Math.min(killAt, performance.now() + withinMs)
  if (isFirst && group !== undefined)
    void endGroup(group, () => Math.min(killAt - performance.now(), leftMs(deadline))).then(over)
}

async function over(): Promise<void> {
  if (group === undefined) return
  group = undefined
  clearTimeout(timer)
  send(wrapper, { kind: 'over', ...(await exited), ended: isLeaseLost })
  if (isAlone) process.exit()
}

/** The wrapper is gone, whether it has ended or was killed. */
function orphaned(): void {
  if (group === undefined) process.exit()
  isAlone = true
  isLeaseLost = true
  end(GRACE_MS)
}

for (const signal of IGNORED) process.on(signal, () => {})
process.on('uncaughtException', () => {
  if (group !== undefined) signalGroup(group, 'SIGKILL')
  process.exit(1)
})
listen(wrapper, obey, orphaned)
send(wrapper, { kind: 'ready' })
