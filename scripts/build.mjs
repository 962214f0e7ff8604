// Builds the packages whose inputs have changed since their dist was built, each after those that it depends on.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, root } from './run.mjs'
import { filesBelow, forget, hashInputs, isDone, remember } from './stamps.mjs'

const shared = ['scripts/build.mjs', 'tsup.base.ts', 'tsconfig.base.json', 'pnpm-lock.yaml']
const tsup = join(root, 'node_modules', 'tsup', 'dist', 'cli-default.js')

/** The workspace's packages by name, each with its folder and its manifest. */
export function packages() {
  const folders = readdirSync(join(root, 'packages')).map((name) => `packages/${name}`)
  const members = folders.filter((folder) => existsSync(join(root, folder, 'package.json')))
  return new Map(
    members.map((folder) => {
      const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
      return [manifest.name, { folder, manifest }]
    }),
  )
}

export async function buildPackages(env, onStart) {
  const all = packages()
  const builds = new Map()
  const build = (name) => {
    if (!builds.has(name)) builds.set(name, buildAfterDependencies(name))
    return builds.get(name)
  }
  const buildAfterDependencies = async (name) => {
    const { folder, manifest } = all.get(name)
    const siblings = Object.keys(manifest.dependencies ?? {}).filter((dependency) => all.has(dependency))
    await Promise.all(siblings.map(build))
    await buildPackage(
      name,
      folder,
      siblings.map((sibling) => all.get(sibling).folder),
      { env, onStart },
    )
  }
  const results = await Promise.allSettled([...all.keys()].map(build)) // a failure lets those under way end first
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

/** Of a sibling only the declarations count: a change inside a function builds one package, not five. */
async function buildPackage(name, folder, siblings, options) {
  const step = `build-${folder.split('/')[1]}`
  const own = filesBelow(`${folder}/src`, (file) => !file.endsWith('.test.ts'))
  const config = ['package.json', 'tsconfig.json', 'tsup.config.ts'].map((file) => `${folder}/${file}`)
  const declarations = siblings.flatMap((sibling) =>
    filesBelow(`${sibling}/dist`, (file) => file.endsWith('.d.ts')),
  )
  const inputs = hashInputs([...shared, ...config, ...own, ...declarations])
  const dist = join(root, folder, 'dist')
  if (isDone(step, inputs) && existsSync(dist)) return
  forget(step)
  await mustRun(`Building ${name}`, 'node', [tsup, '--out-dir', 'dist.next'], {
    ...options,
    cwd: join(root, folder),
  })
  nameLibraries(`${folder}/dist.next`)
  replace(dist)
  remember(step, inputs)
}

/** Whoever compiles for an older target lacks `AsyncDisposable`, and the bundler drops references from the sources. */
function nameLibraries(next) {
  for (const file of filesBelow(next, (name) => name.endsWith('.d.ts'))) {
    const text = readFileSync(join(root, file), 'utf8')
    if (text.includes('AsyncDisposable'))
      writeFileSync(join(root, file), `/// <reference lib="esnext.disposable" />\n${text}`)
  }
}

/** Whoever reads dist meanwhile finds the old one or the new one, never half of one. */
function replace(dist) {
  rmSync(`${dist}.old`, { recursive: true, force: true })
  if (existsSync(dist)) renameSync(dist, `${dist}.old`)
  renameSync(`${dist}.next`, dist)
  rmSync(`${dist}.old`, { recursive: true, force: true })
}
