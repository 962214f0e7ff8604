// npm run release:dry: what a release would do, in a copy of the checkout: versions, changelogs, tarballs. Publishes nothing.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { packages } from './build.mjs'
import { manifestIn } from './pack.mjs'
import { Failure, mustRun, root } from './run.mjs'
import { pnpm } from './toolchain.mjs'

const bin = (...path) => join(root, 'node_modules', ...path)
const changeset = bin('@changesets', 'cli', 'bin.js')
const publint = bin('publint', 'src', 'cli.js')
const attw = bin('@arethetypeswrong', 'cli', 'dist', 'index.js')

/** Rehearses a release of packages that have been built; `tell` hears each package's version and the files of its tarball. */
export async function dryRelease(env, tell = (/** @type {string} */ _line) => {}) {
  const copy = mkdtempSync(join(tmpdir(), 'slotkeeper-release-'))
  try {
    await copyCheckout(copy)
    const options = { env, cwd: copy }
    const before = versions(root)
    const waiting = readdirSync(join(copy, '.changeset')).filter((file) => file.endsWith('.md'))
    if (waiting.length > 0) await mustRun('changeset version', 'node', [changeset, 'version'], options)
    for (const [name, { folder }] of packages()) {
      const version = versions(copy).get(name)
      const destination = join(copy, folder, 'packed')
      const pack = [pnpm, 'pack', '--pack-destination', destination]
      await mustRun(`Packing ${name}`, 'node', pack, { env, cwd: join(copy, folder) })
      const tarball = join(destination, readdirSync(destination)[0])
      const manifest = await manifestIn(tarball)
      wrongManifest(manifest, version)
      await mustRun(`publint for ${name}`, 'node', [publint, 'run', tarball, '--strict'], { env })
      if (manifest.exports['.'])
        await mustRun(`attw for ${name}`, 'node', [attw, tarball, '--profile', 'esm-only'], { env })
      tell(`${name} ${before.get(name)} → ${version}`)
    }
    tell(`${waiting.length} changesets. Nothing was published.`)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

async function copyCheckout(copy) {
  const all = packages()
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const files = (await mustRun('git ls-files', 'git', list)).split('\0').filter(Boolean)
  for (const file of files) if (existsSync(join(root, file))) cpSync(join(root, file), join(copy, file))
  for (const { folder } of all.values())
    cpSync(join(root, folder, 'dist'), join(copy, folder, 'dist'), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  // pnpm takes a sibling's version from where it is installed: in the copy that is the copy's.
  for (const { folder, manifest } of all.values())
    for (const name of Object.keys(manifest.dependencies ?? {}).filter((dependency) => all.has(dependency))) {
      const link = join(copy, folder, 'node_modules', name)
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(join(copy, all.get(name).folder), link)
    }
  await mustRun('git init', 'git', ['init', '--quiet', '--initial-branch=main'], { cwd: copy })
}

function versions(checkout) {
  return new Map(
    [...packages().values()].map(({ folder }) => {
      const { name, version } = JSON.parse(readFileSync(join(checkout, folder, 'package.json'), 'utf8'))
      return [name, version]
    }),
  )
}

/** What a registry would take and no user could install. */
function wrongManifest(manifest, version) {
  if (manifest.version !== version) throw new Failure(`${manifest.name} was packed as ${manifest.version}.`)
  const ranges = Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies })
  const wrong = ranges.find(([, range]) => /^(workspace|catalog|link|file):/.test(range))
  if (wrong) throw new Failure(`${manifest.name} would depend on ${wrong.join(' ')}.`)
  const sibling = ranges.find(([name, range]) => name.startsWith('@slotkeeper/') && range !== `^${version}`)
  if (sibling) throw new Failure(`${manifest.name} ${version} would depend on ${sibling.join(' ')}.`)
}
