// The project's Node and pnpm, taken from the npm registry into .toolchain, and then the project's dependencies.
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Failure, mustRun, progress, root, run } from './run.mjs'
import { forget, hashInputs, isDone, remember } from './stamps.mjs'

const folder = join(root, '.toolchain')
const modules = join(folder, 'node_modules')
const platform = `${process.platform}-${process.arch}`
const nodePackage = join(modules, `node-${platform}`)
const oldestNode = [22, 18] // the oldest that the build tools take and that runs TypeScript files as they are

/** pnpm's program, to be started with `node`. */
export const pnpm = join(modules, 'pnpm', 'bin', 'pnpm.mjs')

/** The Node that everything runs on. */
export function toolchainNode() {
  const own = join(nodePackage, 'bin', 'node')
  return existsSync(own) ? own : process.execPath
}

/** The environment in which everything runs. */
export function toolchainEnv() {
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, PATH: [join(modules, '.bin'), process.env.PATH].join(delimiter) }
  delete env.npm_config_nodedir // npx sets it to the headers of the Node that it runs on
  if (existsSync(nodePackage)) env.npm_config_nodedir = nodePackage
  for (const setting of ['registry', 'cafile', 'proxy', 'https_proxy', 'noproxy']) {
    const ofNpm = process.env[`npm_config_${setting}`] // pnpm does not read npm's global settings itself
    if (ofNpm) env[`pnpm_config_${setting}`] ??= ofNpm
  }
  return env
}

/** Installs Node and pnpm where they are missing, in the versions that the committed lockfile says. */
export async function ensureNodeAndPnpm(onStart) {
  const locked = ['package.json', 'package-lock.json']
  const inputs = hashInputs(
    locked.map((file) => `toolchain/${file}`),
    [platform],
  )
  if (isDone('toolchain', inputs) && existsSync(pnpm)) return requireNode()
  forget('toolchain')
  for (const file of locked) copyFileSync(join(root, 'toolchain', file), join(folder, file))
  await progress('Installing Node and pnpm', async () => {
    const options = '--ignore-scripts --include=optional --no-audit --no-fund --loglevel=error'.split(' ')
    const [program, ...args] = [...npm(), 'ci', ...options]
    await mustRun('Installing Node and pnpm', program, args, { cwd: folder, onStart })
    await tryNode()
  })
  requireNode()
  remember('toolchain', inputs)
}

/** npm as it was started, or the one in PATH. */
export function npm() {
  const running = process.env.npm_execpath ?? ''
  return running.endsWith('npm-cli.js') ? [process.execPath, running] : ['npm']
}

/** npm says nothing about an optional package that it could not fetch. */
async function tryNode() {
  const { optionalDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (!(`node-${platform}` in optionalDependencies)) return
  const node = join(nodePackage, 'bin', 'node')
  if (!existsSync(node)) throw new Failure(`npm could not fetch node-${platform}; run this again.`)
  const works = await run(node, ['--version'], { capture: true }).catch(() => ({ exitCode: 1 }))
  if (works.exitCode !== 0) rmSync(nodePackage, { recursive: true }) // made for another C library
}

/** Where the registry has no Node that works here, the one that runs this script has to do. */
function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const isNewEnough = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])
  if (existsSync(nodePackage) || isNewEnough) return
  throw new Failure(
    `Node ${oldestNode.join('.')} or newer is missing: this is Node ${process.versions.node} and the npm registry has ` +
      `none for this system (${platform}), so install one from nodejs.org or your package manager, then run this again.`,
  )
}

/** Installs the dependencies of all packages where they are missing, in the versions that the committed lockfile says. */
export async function ensureDependencies(onStart) {
  const members = ['packages', 'examples']
    .filter((group) => existsSync(join(root, group)))
    .flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
  const manifests = ['.', 'bench', ...members]
    .map((member) => join(member, 'package.json'))
    .filter((manifest) => existsSync(join(root, manifest)))
  const locks = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'toolchain/package-lock.json']
  const inputs = hashInputs([...locks, ...manifests], [root])
  if (isDone('dependencies', inputs) && existsSync(join(root, 'node_modules', '.modules.yaml'))) return
  forget('dependencies')
  const env = toolchainEnv()
  delete env.NODE_ENV // production would leave the tools out
  await progress('Installing the dependencies', async () => {
    const options = ['--frozen-lockfile', '--prefer-offline', '--reporter=append-only']
    const output = await mustRun('Installing the dependencies', 'node', [pnpm, 'install', ...options], {
      env,
      onStart,
    })
    const missed = output.match(/\S+ is an optional dependency that could not be fetched/)
    if (!missed) return
    rmSync(join(root, 'node_modules'), { recursive: true }) // or pnpm would remember to leave it out
    throw new Failure(`${missed[0]}; run this again.`)
  })
  remember('dependencies', inputs)
}
