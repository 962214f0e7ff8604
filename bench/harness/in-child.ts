import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Case, Context, Sample } from './case.ts'

const script = fileURLToPath(new URL('../child.ts', import.meta.url))

/** What a child process is to do. Without a subject it prepares the case. */
export interface Task {
  readonly suite: string
  readonly case: string
  readonly subject: string | undefined
  readonly context: Context
}

/**
 * Measures in a process of its own, so that no garbage, no compiled code and no timer of anything else is in it.
 * @throws Error when the process ended without an answer or took too long; what it printed went to standard error
 */
export function inChild(task: Task, { nodeOptions = [], mostSeconds = 120 }: Case): Promise<Sample> {
  const child = fork(script, [JSON.stringify(task)], {
    execArgv: ['--expose-gc', ...nodeOptions],
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
  })
  // Whoever interrupts the whole wants no child left.
  const stop = () => child.kill()
  process.once('exit', stop)
  const timer = setTimeout(() => child.kill('SIGKILL'), mostSeconds * 1000)
  return new Promise<Sample>((resolve, reject) => {
    let sample: Sample | undefined
    child.on('message', (message) => {
      sample = message as Sample
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      process.off('exit', stop)
      clearTimeout(timer)
      if (code === 0 && sample !== undefined) resolve(sample)
      else
        reject(
          new Error(
            `Measuring ${task.suite} ${task.case} ${task.subject ?? 'prepare'} ended with ${signal ?? code}${signal === 'SIGKILL' ? ` (it may take ${mostSeconds} s)` : ''}.`,
          ),
        )
    })
  })
}
