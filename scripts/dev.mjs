// npm run demo | test | acquit | check | bench | build | format | api | reference | docs | release:dry | pnpm: sets up whatever is missing,
// then does the work.
// Needs Node 20 and npm, nothing else. The set-up:
//   toolchain.mjs   Node and pnpm into .toolchain, then the dependencies
//   build.mjs       the packages whose inputs have changed since they were built
//   stamps.mjs      how a step knows that it is done already
//   setup-lock.mjs  one set-up at a time
// The servers that tests and benchmarks need: services.mjs, then postgres-server.mjs, pgbouncer-server.mjs, redis-server.mjs, which share
// server-process.mjs; where their programs come from: postgres-programs.mjs, debian-packages.mjs.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { acquit } from './acquit.mjs'
import { buildPackages } from './build.mjs'
import { apiReports, biome, check, reference } from './check.mjs'
import { buildDocs } from './docs.mjs'
import { dryRelease } from './release-dry.mjs'
import { Failure, progress, root, run } from './run.mjs'
import { servicesFor, withServices } from './services.mjs'
import { withSetupLock } from './setup-lock.mjs'
import { test } from './test.mjs'
import { ensureDependencies, ensureNodeAndPnpm, pnpm, toolchainEnv } from './toolchain.mjs'

const commands = {
  build: () => setUp(3).then(() => 0),
  test: async (args) => test(await setUp(3), args),
  acquit: async (args) => acquit(await setUp(3), args),
  check: async (args) => check(await setUp(2), args, { build: () => setUp(3) }),
  format: async () => node(await setUp(2), [biome, 'check', '--write', '--linter-enabled=false']),
  api: async () => node(await setUp(3), [apiReports, '--update']),
  reference: async () => node(await setUp(2), [reference, '--update']),
  docs: async () => done(progress('Building the documentation', async () => buildDocs(await setUp(2)))),
  'release:dry': async () => done(dryRelease(await setUp(3), console.log)),
  demo: (args) => runFile('examples/demo/demo.ts', args, { say: 'There is no demo yet', exitCode: 1 }),
  bench: async (args) => {
    const env = await setUp(3)
    const suites = args.filter((arg) => !arg.startsWith('-'))
    const runBench = (found) => node(found, ['bench/run.ts', ...args])
    const services = args.includes('--help') ? [] : servicesFor('bench', suites)
    return withServices(env, services, runBench)
  },
  pnpm: async (args) => node(await setUp(1), [pnpm, ...args]),
}

/** Does the set-up as far as needed (1 Node and pnpm, 2 dependencies, 3 build); answers the environment to work in. */
async function setUp(stages) {
  await withSetupLock(async (onStart) => {
    await ensureNodeAndPnpm(onStart)
    if (stages >= 2) await ensureDependencies(onStart)
    if (stages >= 3) await progress('Building the packages', () => buildPackages(toolchainEnv(), onStart))
  })
  return toolchainEnv()
}

async function done(work) {
  await work
  return 0
}

async function runFile(file, args, missing) {
  if (!existsSync(join(root, file)))
    throw new Failure(`${missing.say}: ${file} is missing.`, missing.exitCode)
  return node(await setUp(3), [file, ...args])
}

async function node(env, args) {
  return (await run('node', args, { env })).exitCode
}

const [name, ...args] = process.argv.slice(2)
try {
  if (!Object.hasOwn(commands, name)) throw new Failure(`Commands: ${Object.keys(commands).join(', ')}.`, 2)
  process.exitCode = await commands[name](args)
} catch (error) {
  if (!(error instanceof Failure)) throw error
  console.error(error.message)
  process.exitCode = error.exitCode
}
