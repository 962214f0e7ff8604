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
/** Looking for zombies reads all of /proc. */
const LOOKS_PER_ZOMBIE_LOOK = 10
/** A process that outlives SIGKILL for so long hangs in the kernel; nothing more can be done about it. */
const UNKILLABLE_MS = 5000

/**
 * Waits until no process of the group is left, at most `ms`. Says whether that is so. Zombies do not count: in a container whose
 * first process reaps nobody they stay for ever.
 */
export async function isGroupGone(group: number, ms: number): Promise<boolean> {
  const until = performance.now() + ms
  for (let look = 1; ; look++) {
    if (!signalGroup(group, 0)) return true
    if (look % LOOKS_PER_ZOMBIE_LOOK === 0 && isAllZombies(group)) return true
    if (performance.now() >= until) return false
    await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, Math.max(1, until - performance.now()))))
  }
}

/**
 * Ends every process of a group: SIGTERM, and SIGKILL as soon as `leftMs` says that no time is left. `leftMs` is asked again and
 * again, so the time may grow shorter meanwhile.
 */
export async function endGroup(group: number, leftMs: () => number): Promise<void> {
  signalGroup(group, 'SIGTERM')
  signalGroup(group, 'SIGCONT') // a stopped process would not hear it
  while (leftMs() > 0) if (await isGroupGone(group, Math.min(LOOK_MS, leftMs()))) return
  for (let waited = 0; waited < UNKILLABLE_MS; waited += 10 * LOOK_MS) {
    signalGroup(group, 'SIGKILL') // again, for who was forked while it was sent
    if (await isGroupGone(group, 10 * LOOK_MS)) return
  }
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
