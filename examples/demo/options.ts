import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** What the demo was told on its command line. */
export interface Options {
  readonly pipelines: string
  /** About how long it shall take; otherwise the manifests say. */
  readonly seconds: number | undefined
  readonly json: boolean
  readonly keep: boolean
  /** Where to draw the picture; otherwise a file of its own in the system's folder for such. */
  readonly picture: string | undefined
  readonly help: boolean
}

export const USAGE = `npm run demo [-- --json] [-- --seconds N] [-- --pipelines DIR] [-- --keep] [-- --picture FILE]

  --json           one JSON object on standard output; progress goes to standard error
  --seconds N      make the runs longer or shorter, so that the whole takes about N seconds (8 to 3600)
  --pipelines DIR  read other manifests; default: examples/pipelines
  --keep           keep the children's log; it is kept anyway when a check fails
  --picture FILE   where to draw who had which slot, as SVG; default: a new file in ${tmpdir()}

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
      picture: { type: 'string' },
    },
  })
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds)
  if (seconds !== undefined && !(seconds >= 8 && seconds <= 3600))
    throw new Error(`--seconds is ${values.seconds}: it must be a number from 8 to 3600.`)
  const picture = values.picture === undefined ? undefined : fromUser(values.picture)
  if (picture !== undefined && !isFolder(dirname(picture)))
    throw new Error(`--picture is ${values.picture}: there is no folder ${dirname(picture)}.`)
  return {
    json: values.json,
    keep: values.keep,
    help: values.help,
    seconds,
    picture,
    pipelines:
      values.pipelines === undefined
        ? fileURLToPath(new URL('../pipelines', import.meta.url))
        : fromUser(values.pipelines),
  }
}

/** npm changes to the checkout's root; a path is meant from where the user stands. */
function fromUser(path: string): string {
  return resolve(process.env.INIT_CWD ?? '.', path)
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
