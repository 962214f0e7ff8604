import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Case, Round, Sample } from './case.ts'
import { inChild } from './in-child.ts'
import { Progress } from './progress.ts'

/** Runs a case's subjects in turn, each in a fresh process; every second round in the reverse order, so that none is always the first. */
export async function runCase(
  suite: string,
  one: Case,
  options: { readonly runs: number; readonly quick: boolean },
  title: string,
): Promise<Round[]> {
  const progress = new Progress(title)
  const base = process.env.SLOTKEEPER_BENCH_DIR
  const directory = mkdtempSync(
    join(base === undefined ? tmpdir() : resolve(process.env.INIT_CWD ?? '.', base), 'slotkeeper-bench-'),
  )
  const task = { suite, case: one.name, context: { quick: options.quick, directory } }
  const names = Object.keys(one.subjects)
  const rounds: Round[] = []
  try {
    if (one.prepare !== undefined) {
      progress.say('preparing')
      await inChild({ ...task, subject: undefined }, one)
    }
    const runs = Math.min(options.runs, one.mostRuns ?? options.runs)
    for (let run = 0; run < runs; run++) {
      const round: Record<string, Sample> = {}
      for (const subject of run % 2 === 0 ? names : names.toReversed()) {
        progress.say(`run ${run + 1}/${runs}, ${subject}`)
        round[subject] = await inChild({ ...task, subject }, one)
      }
      rounds.push(round)
    }
    return rounds
  } finally {
    progress.end()
    rmSync(directory, { recursive: true, force: true })
  }
}
