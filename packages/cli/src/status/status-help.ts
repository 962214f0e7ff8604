import { defaultStorePath } from '../store/default-store.ts'

/** `slotkeeper status --help`. */
export const STATUS_HELP = `Shows what is taken and who waits. Changes nothing, and makes no store where there is none.

Usage: slotkeeper status [--repository NS/NAME] [options]

  --repository NS/NAME  this one, with each of its slots and its queue in order; default: all, one line each
  --store STORE         sqlite:PATH, postgresql://USER@HOST/DATABASE or etcd://HOST:PORT; default: $SLOTKEEPER_STORE, else
                        sqlite:${defaultStorePath()}
  --json                one JSON object; README.md says what is in it
  --watch               again every second, until Ctrl-C; with --json one object a line
  -h, --help

Colours only on a terminal, and not when NO_COLOR is set.

Exit code: 0, or
  69   the store cannot be used, or there is none yet
  125  wrong usage or configuration, or a Node.js too old

Examples:
  slotkeeper status
  slotkeeper status --repository acme/api --json | jq '.repositories[0].queue[].run'
`
