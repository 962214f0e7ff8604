// The honest drivers pass the conformance suite many times in a row, its tests in another order each time: `npm run acquit -- 50`, or only
// some of them: `npm run acquit -- 50 1 driver-memory driver-sqlite`.
import { Failure } from './run.mjs'
import { test } from './test.mjs'

const PROJECTS = ['driver-memory', 'driver-etcd', 'driver-postgres', 'driver-sqlite']

/** Stops at the first round that is not green, and says how to have its order again. */
export async function acquit(env, args) {
  const [rounds = '50', firstSeed = '1', ...chosen] = args
  const strange = chosen.find((name) => !PROJECTS.includes(name))
  if (!/^[1-9]\d*$/.test(rounds) || !/^\d+$/.test(firstSeed) || strange !== undefined)
    throw new Failure(
      `npm run acquit -- [rounds, 50 unless given] [seed of the first round, 1 unless given] [drivers, all unless given: ${PROJECTS.join(', ')}]`,
      2,
    )
  const projects = (chosen.length > 0 ? chosen : PROJECTS).flatMap((name) => ['--project', name])
  for (let round = 0; round < Number(rounds); round++) {
    const seed = Number(firstSeed) + round
    const order = ['--sequence.shuffle.tests', `--sequence.seed=${seed}`]
    const exitCode = await test(env, [...projects, 'test/conformance.test.ts', ...order, '--reporter=dot'])
    if (exitCode !== 0) {
      console.log(
        `${round} of ${rounds} rounds green; \`npm run acquit -- ${[1, seed, ...chosen].join(' ')}\` has the next one again.`,
      )
      return exitCode
    }
  }
  console.log(`${rounds} of ${rounds} rounds green.`)
  return 0
}
