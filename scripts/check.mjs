// npm run check [-- step ... | --no-test]: everything that a change has to pass, stopping at the first failure.
import { join } from 'node:path'
import { checkConsumers } from './check-consumers.mjs'
import { checkGuides } from './check-guides.mjs'
import { checkImports } from './check-imports.mjs'
import { checkLinks } from './check-links.mjs'
import { checkPackages, checkSizes } from './check-packages.mjs'
import { checkSnippets } from './check-snippets.mjs'
import { buildDocs } from './docs.mjs'
import { dryRelease } from './release-dry.mjs'
import { Failure, mustRun, progress, root, secondsSince } from './run.mjs'
import { test } from './test.mjs'

const bin = (...path) => join(root, 'node_modules', ...path)
/** The program that formats and lints. */
export const biome = bin('@biomejs', 'biome', 'bin', 'biome')
const eslint = bin('eslint', 'bin', 'eslint.js')
const tsc = bin('typescript', 'bin', 'tsc')
const knip = bin('knip', 'bin', 'knip.js')
/** The program that compares the API reports, or writes them with --update. */
export const apiReports = join(root, 'scripts', 'api-reports.mjs')
/** The program that compares the generated tables of the documentation, or writes them with --update. */
export const reference = join(root, 'scripts', 'reference.mjs')

export async function check(env, args, { build }) {
  const node = (what, ...command) => mustRun(what, 'node', command, { env })
  const built = (what, work) => build().then(() => progress(what, work))
  const steps = {
    format: () => node('The format check', biome, 'check', '--linter-enabled=false'),
    lint: () => node('Biome', biome, 'lint', '--error-on-warnings'),
    promises: () => node('ESLint', eslint, '--max-warnings=0', '.'),
    build,
    types: async () => {
      await node('TypeScript', tsc, '-p', '.')
      await node('TypeScript in scripts', tsc, '-p', 'scripts')
    },
    test: async () => {
      await build()
      const exitCode = await test(env, [])
      if (exitCode !== 0) throw new Failure('Tests failed.', exitCode)
    },
    unused: () => node('Knip', knip),
    cycles: () => node('Knip', knip, '--cycles'),
    imports: () => checkImports(),
    packages: () => built('Checking the packages', () => checkPackages(env)),
    sizes: () => built('Measuring sizes', () => checkSizes(env)),
    api: () => built('Comparing the public surface', () => node('The API reports', apiReports)),
    consumers: () => built('Using the packages', () => checkConsumers(env)),
    snippets: () => built('Compiling the code in the documentation', () => checkSnippets(env)),
    guides: () => built('Following the guides', () => checkGuides(env)),
    links: () => checkLinks(),
    reference: () => node('The reference', reference),
    docs: () => progress('Building the documentation', () => buildDocs(env)),
    release: () => built('Rehearsing a release', () => dryRelease(env)),
  }
  for (const name of choose(Object.keys(steps), args)) {
    const start = performance.now()
    try {
      await steps[name]()
    } catch (error) {
      if (error instanceof Failure) error.message += `\n\n${name}: FAILED after ${secondsSince(start)}`
      throw error
    }
    console.log(`${name}: ok in ${secondsSince(start)}`)
  }
}

function choose(names, args) {
  const chosen = args.filter((arg) => arg !== '--no-test')
  const unknown = chosen.find((arg) => !names.includes(arg))
  if (unknown)
    throw new Failure(
      `There is no step ${unknown}. Steps: ${names.join(', ')}; --no-test leaves out test.`,
      2,
    )
  if (chosen.length > 0) return chosen
  return args.includes('--no-test') ? names.filter((name) => name !== 'test') : names
}
