import { defaultStorePath } from '../store/default-store.ts'

/** `slotkeeper explain --help`. */
export const EXPLAIN_HELP = `Says where a run is and why: at which place it waits, since when, behind whom, and who holds the slots. Changes nothing.

Usage: slotkeeper explain --repository NS/NAME --run NS/NAME [options]

  --repository NS/NAME  the repository in which it waits or runs
  --run NS/NAME         the run's key
  --store STORE         sqlite:PATH, postgresql://USER@HOST/DATABASE or etcd://HOST:PORT; default: $SLOTKEEPER_STORE, else
                        sqlite:${defaultStorePath()}
  --json                one JSON object; README.md says what is in it
  -h, --help

Exit code: 0, or
  66   nothing is known of the run: it was never asked for, or it ended longer ago than records are kept
  69   the store cannot be used, or there is none yet
  125  wrong usage or configuration, or a Node.js too old

Examples:
  slotkeeper explain --repository acme/api --run acme/build-17
  slotkeeper explain --repository acme/api --run acme/build-17 --json | jq '.place, .ahead[].run'
`
