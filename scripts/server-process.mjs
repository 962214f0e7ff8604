// What all servers of this checkout's own share: they run as nobody in particular, in a temporary directory, and end with this process.
import { execFile, spawn } from 'node:child_process'
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { Failure } from './run.mjs'

export const isRoot = process.getuid?.() === 0
/** Such servers refuse to run as root. This user exists nowhere in particular and needs not to be made. */
export const nobody = 65534
export const ids = isRoot ? { uid: nobody, gid: nobody } : {}
/** It takes about a second; a machine with much else to do is given time. */
const startMs = 60_000

/** The server ends when its standard input does: also when this process was killed and could not tell it. */
const whileParentLives = `
exec 3<&0
signal=$1; shift
"$@" 3<&- </dev/null & server=$!
{ cat <&3 >/dev/null; kill -$signal $server; } 2>/dev/null &
exec 3<&-
wait $server`

/**
 * @typedef {object} Place
 * @property {string} bin where the programs are
 * @property {NodeJS.ProcessEnv} env
 * @property {string} cwd
 */

/** A directory for what a server keeps. */
export function temporary(what) {
  const directory = mkdtempSync(join(tmpdir(), `slotkeeper-${what}-`))
  chmodSync(directory, 0o755)
  return directory
}

/** A directory in it that only the server may read. */
export function ownDirectory(directory, name) {
  const path = join(directory, name)
  mkdirSync(path, { mode: 0o700 })
  if (isRoot) chownSync(path, nobody, nobody)
  return path
}

/** A file that only the server may read. */
export function writeForServer(path, text) {
  writeFileSync(path, text, { mode: 0o600 })
  if (isRoot) chownSync(path, nobody, nobody)
}

/**
 * Where programs can be run from: a checkout below a home directory with mode 700 cannot be read by the other user.
 * @param {import('./debian-packages.mjs').Programs} programs
 * @returns {Place}
 */
export function place({ directory, bin, libraries }, cwd) {
  let from = directory
  if (isRoot && directory !== '/usr') {
    from = join(cwd, 'programs')
    cpSync(directory, from, { recursive: true, verbatimSymlinks: true })
  }
  const found = libraries.map((path) => join(from, path)).join(delimiter)
  return {
    bin: join(from, bin),
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC', ...(found && { LD_LIBRARY_PATH: found }) },
    cwd,
  }
}

/**
 * Starts a server, and answers once it says `ready`. `stop` sends it the signal and waits for its end.
 * @param {Place} at
 * @param {{ name: string, command: string[], ready: RegExp, signal: string }} server
 */
export async function serve({ env, cwd }, { name, command, ready, signal }) {
  const child = spawn('sh', ['-c', whileParentLives, 'sh', signal, ...command], {
    ...ids,
    env,
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // an interrupt from the terminal is for the tests; the server is still needed while they end
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const stop = async () => {
    child.stdin.destroy()
    await ended
  }
  child.stdin.on('error', () => undefined) // it has ended already
  await new Promise((resolve, reject) => {
    let output = ''
    const fail = () => {
      child.stdin.destroy()
      reject(new Failure(`${name} did not start: ${output}`))
    }
    const late = setTimeout(fail, startMs)
    child.once('error', reject)
    child.once('exit', fail)
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        output += text
        if (!ready.test(output)) return
        clearTimeout(late)
        resolve(undefined)
      })
  })
  // Nobody reads what it says from now on, and it must not wait for that.
  for (const stream of [child.stdout, child.stderr]) stream.removeAllListeners('data').resume()
  return { stop }
}

/**
 * Runs a program of the server's to its end, as the server's user; it has to succeed.
 * @param {Omit<Place, 'bin'>} at
 * @param {string[]} command
 */
export async function runToEnd({ env, cwd }, [program, ...args]) {
  await promisify(execFile)(program, args, { ...ids, env, cwd })
}

/** @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })
}
