// The packages as they would be published: one tarball each, packed anew only when its contents have changed.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { packages } from './build.mjs'
import { mustRun, root } from './run.mjs'
import { filesBelow, forget, hashInputs, isDone, remember } from './stamps.mjs'
import { pnpm } from './toolchain.mjs'

/**
 * @typedef {object} Packed
 * @property {string} name the package's name
 * @property {string} folder its folder, from the root
 * @property {any} manifest its package.json in the checkout
 * @property {string} tarball the path of what users install
 */

/**
 * Packs every package that has been built.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Packed[]>}
 */
export function packPackages(env) {
  const all = [...packages()].map(async ([name, { folder, manifest }]) => {
    const short = folder.split('/')[1]
    const destination = join(root, '.toolchain', 'tarballs', short)
    const own = [...filesBelow(`${folder}/dist`, () => true), `${folder}/package.json`, `${folder}/README.md`]
    const inputs = hashInputs([...own, 'LICENSE', 'pnpm-workspace.yaml', 'scripts/pack.mjs'])
    const step = `pack-${short}`
    if (!isDone(step, inputs) || !existsSync(destination)) {
      forget(step)
      rmSync(destination, { recursive: true, force: true })
      mkdirSync(destination, { recursive: true })
      const options = ['pack', '--pack-destination', destination]
      await mustRun(`Packing ${name}`, 'node', [pnpm, ...options], { env, cwd: join(root, folder) })
      remember(step, inputs)
    }
    return { name, folder, manifest, tarball: join(destination, readdirSync(destination)[0]) }
  })
  return Promise.all(all)
}

/** What a tarball holds, as paths inside the package. */
export async function namesIn(tarball) {
  const output = await mustRun('Listing a tarball', 'tar', ['-tzf', tarball])
  return output
    .trimEnd()
    .split('\n')
    .map((name) => name.replace(/^package\//, ''))
}

/** The package.json inside a tarball, with its workspace protocols resolved. */
export async function manifestIn(tarball) {
  return JSON.parse(await mustRun('Reading a tarball', 'tar', ['-xzOf', tarball, 'package/package.json']))
}
