// One set-up at a time in a checkout, also after a set-up was killed.
import { appendFileSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { progress, root } from './run.mjs'

const file = join(root, '.toolchain', 'lock')

/**
 * Does `work` while no other process does its own. `work` gets a function that adds a process id to the lock: an
 * installer outlives a killed parent, and nobody may install beside it.
 */
export async function withSetupLock(work) {
  mkdirSync(join(root, '.toolchain'), { recursive: true })
  if (!tryLock()) {
    await progress('Waiting for the set-up of another command in this checkout', async () => {
      while (!tryLock()) await sleep(100)
    })
  }
  const unlock = () => rmSync(file, { force: true })
  process.once('exit', unlock)
  try {
    return await work((pid) => appendFileSync(file, describe(pid)))
  } finally {
    unlock()
    process.off('exit', unlock)
  }
}

/** The lock appears with its content in one step: a hard link to a file that is written already. */
function tryLock() {
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, describe(process.pid))
  try {
    linkSync(mine, file)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    removeIfAbandoned(mine)
    return false
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Takes the lock aside before judging it a second time: by then it may be somebody else's, which goes back. */
function removeIfAbandoned(aside) {
  try {
    if (isAlive(file)) return
    renameSync(file, aside)
    if (isAlive(aside)) linkSync(aside, file)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error // given back in the meantime
  }
}

function isAlive(lockFile) {
  const lines = readFileSync(lockFile, 'utf8').split('\n').filter(Boolean)
  return lines.some((line) => startOf(Number.parseInt(line, 10)) === line.split(' ')[1])
}

function describe(pid) {
  return `${pid} ${startOf(pid)}\n`
}

/** When a process started, where the system tells (Linux): process ids are used again. `undefined` when it has ended. */
function startOf(pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error.code === 'ESRCH') return undefined
  }
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return 'unknown'
  }
}
