import { parseArgs } from 'node:util'

/** What the command line asked for. */
export interface Options {
  /** Empty: all of them. */
  readonly suites: readonly string[]
  /** Parts of names of cases; empty: all of them. */
  readonly cases: readonly string[]
  readonly runs: number
  readonly quick: boolean
  readonly json: boolean
  readonly check: boolean
  readonly help: boolean
}

/** What `--help` says, with the names of the suites there are. */
export function usageOf(suites: readonly string[]): string {
  return `npm run bench [-- suite ...] [-- --case NAME] [-- --runs N] [-- --quick] [-- --json] [-- --check]

  suite         ${suites.join(', ')}; default: all
  --case NAME   only cases whose name contains NAME; may be given several times
  --runs N      alternating runs of each case, 1 to 100; default 5, with --quick 2
  --quick       short stretches and small numbers: shows that everything works, the figures say little
  --json        one object a line on standard output; everything else goes to standard error
  --check       exit 1 when a goal is missed

SLOTKEEPER_BENCH_DIR: where SQLite files are written, on a real disk. Default: the system's temporary directory.
Exit codes: 0 done, 1 a goal was missed (with --check) or a measurement failed, 2 wrong options.`
}

/** @throws Error with one sentence for people */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: args.filter((arg) => arg !== '--'),
    allowPositionals: true,
    options: {
      case: { type: 'string', multiple: true, default: [] },
      runs: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const runs = Number(values.runs ?? (values.quick ? 2 : 5))
  if (!(Number.isInteger(runs) && runs >= 1 && runs <= 100))
    throw new Error(`--runs is ${values.runs}: it must be a whole number from 1 to 100.`)
  const { quick, json, check, help } = values
  return { suites: positionals, cases: values.case, runs, quick, json, check, help }
}
