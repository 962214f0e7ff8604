import { defaultStorePath } from '../store/default-store.ts'

/** `slotkeeper watch --help`. */
export const WATCH_HELP = `Prints what happens in a repository, one JSON object a line, until Ctrl-C or until nobody reads any more.

Usage: slotkeeper watch --repository NS/NAME [options]

  --repository NS/NAME  which one; it need not be known yet
  --store STORE         sqlite:PATH, postgresql://USER@HOST/DATABASE or etcd://HOST:PORT; default: $SLOTKEEPER_STORE, else
                        sqlite:${defaultStorePath()}
  --json                JSON lines, which it prints anyway
  -h, --help

The first line is a resync, and others follow whenever some events may have been missed (the store was away, or the reader was slow):
then look for yourself, with 'slotkeeper status'. README.md says what is in a line.

Exit code: 0 after SIGINT, SIGTERM or SIGHUP and when nobody reads any more, or
  69   the store cannot be used, or there is none yet
  125  wrong usage or configuration, or a Node.js too old

Examples:
  slotkeeper watch --repository acme/api
  slotkeeper watch --repository acme/api | jq -r 'select(.event == "expired") | .run'
`
