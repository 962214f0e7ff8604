// The arrows between packages: who may import whom, and only what it declares and the other one exports.
import { readFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { packages } from './build.mjs'
import { Failure, root } from './run.mjs'
import { filesBelow } from './stamps.mjs'

/** Which siblings a package may depend on. A new package is added here. */
const arrows = {
  core: [],
  'driver-etcd': ['core'],
  'driver-memory': ['core'],
  'driver-postgres': ['core', 'migrations'],
  'driver-sqlite': ['core'],
  migrations: ['core'],
  testing: ['core', 'driver-memory'],
  cli: ['core', 'driver-etcd', 'driver-memory', 'driver-postgres', 'driver-sqlite', 'migrations'],
}
/** What core's build takes into itself, so that its users install nothing. Core has no dependency. */
const bundledInCore = ['zod']

export async function checkImports() {
  const all = packages()
  const problems = [...all.values()].flatMap((member) => [
    ...wrongArrows(member),
    ...wrongImports(member, all),
  ])
  if (problems.length > 0) throw new Failure(problems.join('\n'))
}

function wrongArrows({ folder, manifest }) {
  const short = folder.split('/')[1]
  const allowed = arrows[short]?.map((sibling) => `@slotkeeper/${sibling}`)
  if (!allowed) return [`${folder}: add it to the arrows in scripts/check-imports.mjs`]
  const isWrong = (name) => (name.startsWith('@slotkeeper/') ? !allowed.includes(name) : short === 'core')
  const names = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  return names.filter(isWrong).map((name) => `${folder}/package.json: must not depend on ${name}`)
}

function wrongImports({ folder, manifest }, all) {
  const bundled = folder === 'packages/core' ? bundledInCore.map((name) => [name, '']) : []
  const ofUsers = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...Object.fromEntries(bundled),
    [manifest.name]: '',
  }
  const ofTests = { ...rootTools(), ...manifest.devDependencies, ...ofUsers }
  const isSource = (file) => /\.[cm]?ts$/.test(file)
  return [...filesBelow(`${folder}/src`, isSource), ...filesBelow(`${folder}/test`, isSource)].flatMap(
    (file) => {
      const isTest = file.startsWith(`${folder}/test`) || file.endsWith('.test.ts')
      return importsOf(file).flatMap((specifier) => {
        if (isTest && isOfServers(specifier, file)) return []
        const problem = wrongImport(specifier, file, folder, isTest ? ofTests : ofUsers, all)
        return problem ? [`${file}: ${problem}`] : []
      })
    },
  )
}

/** Tests may start what the scripts start: servers, and disks that are small. */
function isOfServers(specifier, file) {
  return /^scripts\/([a-z]+-server|postgres-programs|server-process|small-disk)\.mjs$/.test(
    join(dirname(file), specifier),
  )
}

function wrongImport(specifier, file, folder, declared, all) {
  if (specifier.startsWith('.')) {
    const target = relative(folder, join(dirname(file), specifier))
    return target.startsWith('..') ? `'${specifier}' leaves the package` : undefined
  }
  // This script may run under an older Node.js, which has fewer modules of its own.
  if (specifier.startsWith('node:') || isBuiltin(specifier)) return undefined
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  if (!(name in declared)) return `'${name}' is not among the dependencies`
  const sibling = all.get(name)
  const entry = specifier.replace(name, '.')
  if (sibling && !(entry in sibling.manifest.exports)) return `${name} does not export '${entry}'`
  return undefined
}

function importsOf(file) {
  const ts = createRequire(join(root, 'package.json'))('typescript')
  return ts
    .preProcessFile(readFileSync(join(root, file), 'utf8'), true, true)
    .importedFiles.map((found) => found.fileName)
}

/** What the tests of every package may import: the tools of the checkout, but no sibling that goes undeclared. */
function rootTools() {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.fromEntries(
    Object.entries(devDependencies).filter(([name]) => !name.startsWith('@slotkeeper/')),
  )
}
