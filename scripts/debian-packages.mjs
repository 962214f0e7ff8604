// Programs out of Debian's packages, unpacked into .toolchain.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, mustRun, progress, root, run } from './run.mjs'
import { forget, isDone, remember } from './stamps.mjs'

/**
 * @typedef {object} Programs
 * @property {string} directory everything that the programs need, to be copied as a whole
 * @property {string} bin below `directory`
 * @property {string[]} libraries below `directory`: where the loader has to look
 */

/**
 * Unpacks packages, once: nothing is installed, no script of theirs runs, no service starts, and nobody needs to be root.
 * @param {{ what: string, folder: string, packages: string[], bin: string, otherwise: string }} wanted `otherwise` says what to do where
 * there are no such packages
 * @returns {Promise<Programs>}
 */
export async function debianPrograms({ what, folder, packages, bin, otherwise }) {
  const directory = join(root, '.toolchain', folder)
  const facts = packages.join(' ')
  if (!(isDone(folder, facts) && existsSync(directory))) {
    forget(folder)
    await progress(`Fetching ${what}`, () => unpack(directory, packages)).catch((error) => {
      throw new Failure(
        `${what} is not to be had by apt-get, which needs Debian 12. ${otherwise} ${error.message}`,
      )
    })
    remember(folder, facts)
  }
  const libraries = ['usr/lib', 'lib'].flatMap((parent) =>
    existsSync(join(directory, parent))
      ? readdirSync(join(directory, parent))
          .filter((name) => name.endsWith('-linux-gnu'))
          .map((name) => `${parent}/${name}`)
      : [],
  )
  return { directory, bin, libraries }
}

async function unpack(directory, packages) {
  const archives = `${directory}.download`
  for (const path of [directory, archives]) rmSync(path, { recursive: true, force: true })
  mkdirSync(archives, { recursive: true })
  try {
    const get = () => run('apt-get', ['download', '-qq', ...packages], { cwd: archives, capture: true })
    let got = await get()
    if (got.exitCode !== 0) {
      await run('apt-get', ['update', '-qq'], { capture: true }) // a fresh machine has no lists of packages yet
      got = await get()
    }
    if (got.exitCode !== 0) throw new Failure(got.output.trimEnd())
    for (const archive of readdirSync(archives))
      await mustRun(`Unpacking ${archive}`, 'dpkg-deb', ['-x', join(archives, archive), directory])
  } finally {
    rmSync(archives, { recursive: true, force: true })
  }
}
