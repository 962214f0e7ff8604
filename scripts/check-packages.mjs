// What users will install: each package packed, its contents and sizes held to rules, then checked by publint and by "are the types wrong".
import { join } from 'node:path'
import { namesIn, packPackages } from './pack.mjs'
import { Failure, mustRun, root } from './run.mjs'

const publint = join(root, 'node_modules', 'publint', 'src', 'cli.js')
const attw = join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')
const sizeLimit = join(root, 'node_modules', 'size-limit', 'bin.js')

/** What every tarball has, and what it may have besides: the entries by name, and the bundler's shared pieces. */
const everywhere = ['LICENSE', 'README.md', 'package.json']
const pieces = /^dist\/([a-z0-9-]+-)?[A-Za-z0-9_-]{8}\.(js|js\.map|d\.ts)$/
/** Files that one package has beyond its exported entries. */
const extra = {
  core: ['dist/zod.LICENSE.txt'],
  testing: ['dist/torture/worker.js', 'dist/torture/worker.d.ts'],
  cli: ['dist/cli.js', 'dist/supervisor.js'],
  migrations: ['dist/main.d.ts'],
}

export async function checkPackages(env) {
  const packed = await packPackages(env)
  const problems = (await Promise.all(packed.map(wrongContents))).flat()
  if (problems.length > 0) throw new Failure(problems.join('\n'))
  for (const { name, manifest, tarball } of packed) {
    const checks = [mustRun(`publint for ${name}`, 'node', [publint, 'run', tarball, '--strict'], { env })]
    if (manifest.exports['.'])
      checks.push(mustRun(`attw for ${name}`, 'node', [attw, tarball, '--profile', 'esm-only'], { env }))
    await Promise.all(checks)
  }
}

/** Whether each entry stays within its budget in .size-limit.json. */
export async function checkSizes(env) {
  await mustRun('size-limit', 'node', [sizeLimit], { env })
}

async function wrongContents({ name, folder, manifest, tarball }) {
  const targets = [
    ...Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? target : [target.types, target.default],
    ),
    ...Object.values(manifest.bin ?? {}),
  ].map((target) => target.replace('./', ''))
  const needed = [...everywhere, ...targets, ...(extra[folder.split('/')[1]] ?? [])]
  const maps = needed.filter((file) => file.endsWith('.js')).map((file) => `${file}.map`)
  const known = new Set([...needed, ...maps])
  const found = await namesIn(tarball)
  return [
    ...needed
      .filter((file) => !found.includes(file))
      .map((file) => `${name}: ${file} is not in its tarball.`),
    ...found
      .filter((file) => !known.has(file) && !pieces.test(file))
      .map((file) => `${name}: its tarball has ${file}, which scripts/check-packages.mjs does not know of.`),
  ]
}
