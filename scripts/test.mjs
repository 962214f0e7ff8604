// Runs Vitest, beside the servers that the chosen projects need, and closes with the line `N passed, N failed`.
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './run.mjs'
import { servicesFor, withServices } from './services.mjs'

const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const reporter = join(root, 'scripts', 'test-counts.mjs')

/** Answers Vitest's exit code, but never 0 when no test was executed. */
export function test(env, args) {
  return withServices(env, servicesFor('tests', projectsIn(args)), (found) => runTests(found, args))
}

function projectsIn(args) {
  return args.flatMap((arg, at) => {
    if (arg === '--project') return [args[at + 1] ?? '']
    return arg.startsWith('--project=') ? [arg.slice('--project='.length)] : []
  })
}

async function runTests(env, args) {
  const countsFile = join(root, '.toolchain', `test-counts-${process.pid}.json`)
  const shown = args.some((arg) => arg.startsWith('--reporter')) ? [] : ['--reporter=default']
  const { exitCode } = await run('node', [vitest, 'run', ...args, ...shown, `--reporter=${reporter}`], {
    env: { ...env, SLOTKEEPER_TEST_COUNTS: countsFile },
  })
  const { passed, failed } = readCounts(countsFile)
  if (passed + failed === 0) console.error('No test was executed.')
  console.log(`${passed} passed, ${failed} failed`)
  return passed + failed === 0 ? exitCode || 1 : exitCode
}

function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { passed: 0, failed: 0 } // Vitest did not come to its end
  } finally {
    rmSync(file, { force: true })
  }
}
