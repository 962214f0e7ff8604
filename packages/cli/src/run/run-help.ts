import { defaultStorePath } from '../store/default-store.ts'

/** `slotkeeper run --help`. */
export const RUN_HELP = `Runs a command under a concurrency slot: waits its turn, runs it, frees the slot whatever happens.

Usage: slotkeeper run --repository NS/NAME --limit N [options] -- COMMAND [ARGS...]

  --repository NS/NAME  what the limit belongs to
  --limit N             how many may run at once; 0 is unlimited. The last one said counts
  --run NS/NAME         the run's key; default: a new one of the command, host and process
  --priority N          higher goes first; default 0
  --wait DURATION       how long to wait for a slot, as 10m or 1h30m; 0: not at all; default: as long as it takes
  --store STORE         sqlite:PATH, postgresql://USER@HOST/DATABASE or etcd://HOST:PORT; default: $SLOTKEEPER_STORE, else
                        sqlite:${defaultStorePath()}
  --ttl DURATION        how soon the slot comes back when this process dies; 1s or longer, default 30s
  --max-hold DURATION   the command is ended when it has held its slot for so long; default: no limit
  --label TEXT          names this process where holders are shown; default: host and process id
  --meta NAME=VALUE     kept with the run and shown to people; may be repeated. Never a secret
  --quiet               no word about the wait
  --json                what happens, as JSON lines on standard error
  -h, --help

The command finds SLOTKEEPER_REPOSITORY, SLOTKEEPER_RUN, SLOTKEEPER_LEASE_ID, SLOTKEEPER_FENCING_TOKEN and, where there is a
limit, SLOTKEEPER_SLOT_NUMBER (1 to N) in its environment. When the lease is lost, its whole process group is ended.

Exit code: the command's own, or
  69   the store cannot be used
  75   the lease was lost, and the command was ended
  124  no slot came free within --wait
  125  wrong usage or configuration, a Node.js too old, or a failure of slotkeeper itself
  126  the command cannot be run
  127  the command was not found
  128+n  the command, or the wait, was ended by signal n

Examples:
  slotkeeper run --repository acme/api --limit 2 -- make test
  slotkeeper run --repository acme/db --limit 1 --wait 10m --store sqlite:/var/lib/ci/slots.db -- ./migrate.sh
  seq 40 | xargs -P 40 -I{} slotkeeper run --repository acme/thumbs --limit 3 --quiet -- convert {}.png {}.jpg
`
