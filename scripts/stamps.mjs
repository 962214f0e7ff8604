// Remembers which inputs a step was last done with, so that it is not done again for the same ones.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'

const folder = join(root, '.toolchain', 'stamps')

/** Whether the step ended with exactly these inputs. */
export function isDone(step, inputs) {
  try {
    return readFileSync(join(folder, step), 'utf8') === inputs
  } catch {
    return false
  }
}

/** Call before a step changes anything: if it is killed, it counts as not done. */
export function forget(step) {
  rmSync(join(folder, step), { force: true })
}

/** Call when a step has ended well. */
export function remember(step, inputs) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, step), inputs)
}

/** One hash over the names and contents of files (paths from the root; missing ones count as missing) and other facts. */
export function hashInputs(files, facts = []) {
  const hash = createHash('sha256')
  for (const fact of facts) hash.update(`${fact}\0`)
  for (const file of [...files].sort()) {
    hash.update(`${file}\0`)
    try {
      hash.update(
        createHash('sha256')
          .update(readFileSync(join(root, file)))
          .digest(),
      )
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
    }
  }
  return hash.digest('hex')
}

/** The files below a folder, as paths from the root. */
export function filesBelow(directory, wanted) {
  const names = existsSync(join(root, directory))
    ? readdirSync(join(root, directory), { recursive: true })
    : []
  return names
    .map((name) => join(directory, String(name)))
    .filter((file) => wanted(file) && statSync(join(root, file)).isFile())
}
