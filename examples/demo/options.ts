import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** What the demo was told on its command line. */
export interface Options {
  readonly pipelines: string
  /** About how long it shall take; otherwise the manifests say. */
  readonly seconds: number | undefined
  readonly json: boolean
  readonly keep: boolean
  readonly help: boolean
}

export const USAGE = `npm run demo [-- --json] [-- --seconds N] [-- --pipelines DIR] [-- --keep]

  --json           one JSON object on standard output; progress goes to standard error
  --seconds N      make the runs longer or shorter, so that the whole takes about N seconds (8 to 3600)
  --pipelines DIR  read other manifests; default: examples/pipelines
  --keep           keep the children's log; it is kept anyway when a check fails

Exit codes: 0 every check held, 1 a check failed, 2 wrong options or manifests.`

/** @throws Error with one sentence for people */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      seconds: { type: 'string' },
      pipelines: { type: 'string' },
    },
  })
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds)
  if (seconds !== undefined && !(seconds >= 8 && seconds <= 3600))
    throw new Error(`--seconds is ${values.seconds}: it must be a number from 8 to 3600.`)
  return {
    json: values.json,
    keep: values.keep,
    help: values.help,
    seconds,
    pipelines:
      values.pipelines === undefined
        ? fileURLToPath(new URL('../pipelines', import.meta.url))
        : // npm changes to the checkout's root; a folder is meant from where the user stands.
          resolve(process.env.INIT_CWD ?? '.', values.pipelines),
  }
}
