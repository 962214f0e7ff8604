import { readdirSync, readFileSync } from 'node:fs'

/** Sends a signal to every process of a group. Says whether there was one that it could be sent to. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  return trySignal(-group, signal)
}

/** Sends a signal to one process. Says whether it could be sent. */
export function trySignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false // nobody is left, or none whom this user may signal
  }
}

const LOOK_MS = 20
/** Looking for zombies reads all of /proc, so it is done only every so many looks. */
const LOOKS_PER_ZOMBIE_LOOK = 5
/** SIGKILL is sent again this often, for who was forked while it was sent. */
const KILL_AGAIN_MS = 200
/** A process that outlives SIGKILL for so long hangs in the kernel; nothing more can be done about it. */
const UNKILLABLE_MS = 5000

/**
 * Waits until no process of the group is left, at most until `leftMs`, which is asked again and again, is 0. Says whether that is so.
 * Zombies do not count: in a container whose first process reaps nobody they stay for ever.
 */
export async function isGroupGone(group: number, leftMs: () => number): Promise<boolean> {
  for (let look = 1; ; look++) {
    if (!signalGroup(group, 0)) return true
    if (look % LOOKS_PER_ZOMBIE_LOOK === 0 && isAllZombies(group)) return true
    const left = leftMs()
    if (left <= 0) return false
    await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, left)))
  }
}

/** Ends every process of a group: SIGTERM, and SIGKILL as soon as `leftMs`, which is asked again and again, is 0. */
export async function endGroup(group: number, leftMs: () => number): Promise<void> {
  signalGroup(group, 'SIGTERM')
  signalGroup(group, 'SIGCONT') // a stopped process would not hear it
  if (await isGroupGone(group, leftMs)) return
  for (let waited = 0; waited < UNKILLABLE_MS; waited += KILL_AGAIN_MS) {
    signalGroup(group, 'SIGKILL')
    if (await isGroupGone(group, countdown(KILL_AGAIN_MS))) return
  }
}

/** Milliseconds left of so many from now on. */
export function countdown(ms: number): () => number {
  const until = performance.now() + ms
  return () => until - performance.now()
}

function isAllZombies(group: number): boolean {
  if (process.platform !== 'linux') return false
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const [state, , processGroup] = statOf(name)
    if (Number(processGroup) === group && state !== 'Z' && state !== 'X') return false
  }
  return true
}

/** State, parent and process group (proc_pid_stat(5)); the name before them may hold anything, parentheses too. */
function statOf(pid: string): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return [] // it has just gone
  }
}
