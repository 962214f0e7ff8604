// Starting other programs, and telling how long things take.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Ends the command with this message and exit code. */
export class Failure extends Error {
  constructor(message, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/**
 * Runs a program to its end; answers its exit code, as a shell would count it, and its output when `capture` is set.
 * Signals to this process go on to the program. `onStart` gets its process id.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, capture?: boolean, onStart?: (pid: number) => void }} [options]
 * @returns {Promise<{ exitCode: number, output: string }>}
 */
export function run(program, args, { env, cwd = root, capture = false, onStart } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, cwd, stdio: capture ? ['ignore', 'pipe', 'pipe'] : 'inherit' })
    let output = ''
    child.stdout?.setEncoding('utf8').on('data', (text) => (output += text))
    child.stderr?.setEncoding('utf8').on('data', (text) => (output += text))
    const forward = (signal) => {
      if (signal === 'SIGINT' && process.stdin.isTTY) return // the terminal has told the program already
      child.kill(signal)
    }
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
    for (const signal of signals) process.on(signal, forward)
    const finish = () => {
      for (const signal of signals) process.off(signal, forward)
    }
    child.on('spawn', () => onStart?.(child.pid))
    child.on('error', (error) => {
      finish()
      reject(new Failure(`Cannot start ${program}: ${error.message}`, 127))
    })
    child.on('close', (code, signal) => {
      finish()
      resolve({ exitCode: code ?? 128 + constants.signals[signal], output })
    })
  })
}

/** Runs a program that has to succeed, and answers its output, which is shown only when it does not. */
export async function mustRun(what, program, args, options = {}) {
  const { exitCode, output } = await run(program, args, { ...options, capture: true })
  if (exitCode > 128) throw new Failure(`${what} was interrupted.`, exitCode)
  if (exitCode !== 0)
    throw new Failure(`${output.trimEnd()}\n\n${what} failed with exit code ${exitCode}.`, exitCode)
  return output
}

/** Whole seconds are enough for people: `0.4 s`, `12.3 s`. */
export function secondsSince(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`
}

/** Does `work`; says so on standard error after two seconds, every ten seconds from then on, and at its end. */
export async function progress(what, work) {
  const start = performance.now()
  let told = false
  const tell = () => {
    told = true
    console.error(`${what} ... ${secondsSince(start)}`)
  }
  const first = setTimeout(tell, 2_000)
  const again = setInterval(tell, 10_000)
  try {
    const result = await work()
    if (told) console.error(`${what}: done in ${secondsSince(start)}`)
    return result
  } finally {
    clearTimeout(first)
    clearInterval(again)
  }
}
