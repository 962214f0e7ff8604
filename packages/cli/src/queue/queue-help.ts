import { defaultStorePath } from '../store/default-store.ts'

/** `slotkeeper queue --help`. */
export const QUEUE_HELP = `Shows who waits for a slot of a repository, in the order in which they go. Changes nothing.

Usage: slotkeeper queue --repository NS/NAME [options]

  --repository NS/NAME  whose queue
  --first N             how many; default 20. How many more there are is said
  --store STORE         sqlite:PATH, postgresql://USER@HOST/DATABASE or etcd://HOST:PORT; default: $SLOTKEEPER_STORE, else
                        sqlite:${defaultStorePath()}
  --json                one JSON object; README.md says what is in it
  -h, --help

Exit code: 0, or
  69   the store cannot be used, or there is none yet
  125  wrong usage or configuration, or a Node.js too old

Examples:
  slotkeeper queue --repository acme/api
  slotkeeper queue --repository acme/api --first 100 --json | jq -r '.queue[].run'
`
