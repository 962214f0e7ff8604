// A disk that tests may fill up: a file system in memory, where this process may mount one.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'

const megabyte = Buffer.alloc(2 ** 20)

/**
 * Mounts a small disk on a directory, readable by its owner; answers what takes it away again, or nothing where this process may not mount.
 * @param {string} directory
 * @param {{ megabytes: number, owner?: number }} options
 * @returns {(() => void) | undefined}
 */
export function mountSmallDisk(directory, { megabytes, owner = process.getuid?.() ?? 0 }) {
  const options = `size=${megabytes}m,mode=0700,uid=${owner},gid=${owner}`
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  return () => {
    execFileSync('umount', ['-l', directory])
  }
}

/** Writes a file that leaves no room on its disk. */
export function fillUp(path) {
  const file = openSync(path, 'w')
  try {
    for (let size = megabyte.length; size >= 512; size /= 2)
      try {
        for (;;) writeSync(file, megabyte, 0, size)
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error
      }
  } finally {
    closeSync(file)
  }
}
