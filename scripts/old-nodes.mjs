// The oldest Nodes that the packages promise to work on, taken from the npm registry into .toolchain/nodes.
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Failure, mustRun, root } from './run.mjs'
import { forget, hashInputs, isDone, remember } from './stamps.mjs'
import { npm } from './toolchain.mjs'

const folder = join(root, '.toolchain', 'nodes')
const platform = `${process.platform}-${process.arch}`
const locked = ['package.json', 'package-lock.json']

/** Installs them where they are missing; answers their programs, oldest first, as `{ name, program }`. */
export async function ensureOldNodes() {
  const nodes = ['20', '22'].map((major) => ({
    name: `Node ${major}`,
    program: join(folder, 'node_modules', `node-${major}-${platform}`, 'bin', 'node'),
  }))
  const inputs = hashInputs(
    locked.map((file) => `toolchain/nodes/${file}`),
    [platform],
  )
  if (!isDone('old-nodes', inputs) || nodes.some(({ program }) => !existsSync(program))) {
    forget('old-nodes')
    mkdirSync(folder, { recursive: true })
    for (const file of locked) copyFileSync(join(root, 'toolchain', 'nodes', file), join(folder, file))
    const options = '--ignore-scripts --include=optional --no-audit --no-fund --loglevel=error'.split(' ')
    const [program, ...args] = [...npm(), 'ci', ...options]
    await mustRun('Installing older Nodes', program, args, { cwd: folder })
  }
  const missing = nodes.find(({ program }) => !existsSync(program))
  if (missing)
    throw new Failure(
      `The npm registry has no ${missing.name} for this system (${platform}): run this on Linux.`,
    )
  remember('old-nodes', inputs)
  return nodes
}
