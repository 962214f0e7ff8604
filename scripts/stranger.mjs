// An empty project outside the checkout, whose npm gets the packages from their tarballs.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packPackages } from './pack.mjs'
import { serveTarballs } from './registry.mjs'
import { mustRun, root } from './run.mjs'
import { npm } from './toolchain.mjs'

/**
 * Does `work` in an empty directory, which is gone afterwards.
 *
 * @template T
 * @param {NodeJS.ProcessEnv} env
 * @param {(stranger: { directory: string, env: NodeJS.ProcessEnv, packed: import('./pack.mjs').Packed[],
 *   install: (...names: string[]) => Promise<unknown> }) => Promise<T>} work
 */
export async function asStranger(env, work) {
  const packed = await packPackages(env)
  const registry = await serveTarballs(packed)
  const directory = mkdtempSync(join(tmpdir(), 'slotkeeper-stranger-'))
  // A cache of its own: npm's usual one might hold another build under the same version.
  const cache = join(root, '.toolchain', 'npm-cache')
  rmSync(join(cache, '_npx'), { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  const settings = `@slotkeeper:registry=${registry.url}/\ncache=${cache}\nfund=false\naudit=false\nupdate-notifier=false\n`
  writeFileSync(join(directory, '.npmrc'), settings)
  /** @type {NodeJS.ProcessEnv} */
  const own = { ...env, npm_config_prefer_offline: 'true' }
  for (const name of Object.keys(own)) if (/^npm_(package|lifecycle)/.test(name)) delete own[name]
  delete own.npm_config_cache
  const install = (...names) => {
    const [program, ...args] = [...npm(), 'install', ...names]
    return mustRun(`npm install ${names.join(' ')}`, program, args, { env: own, cwd: directory })
  }
  try {
    return await work({ directory, env: own, packed, install })
  } finally {
    registry.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
