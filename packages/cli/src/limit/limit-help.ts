import { defaultStorePath } from '../store/default-store.ts'

/** `slotkeeper limit --help`. */
export const LIMIT_HELP = `Shows a repository's limit, or sets it without running anything.

Usage: slotkeeper limit --repository NS/NAME [options]
       slotkeeper limit set --repository NS/NAME --limit N [options]

  --repository NS/NAME  which one
  --store STORE         sqlite:PATH, postgresql://USER@HOST/DATABASE or etcd://HOST:PORT; default: $SLOTKEEPER_STORE, else
                        sqlite:${defaultStorePath()}
  --json                one JSON object; README.md says what is in it
  -h, --help

For set:
  --limit N             how many may run at once; 0 is unlimited
  --reason TEXT         why, for the audit trail; needed where the limit gets lower. Never a secret
  --actor TEXT          who, for the audit trail; default: the user of the operating system
  --yes                 do it without asking

A higher limit is used at once. A lower one is asked about first, and without a terminal it needs --yes; it ends nobody: nothing new is
granted until enough have ended. The last word counts: the next 'slotkeeper run --limit' says its own.

Exit code: 0 (also when it was so already), or
  66   the store knows no such repository (set makes it known)
  69   the store cannot be used, or there is none yet
  77   nobody said yes: the answer was no, or there is no terminal and no --yes; nothing was changed
  125  wrong usage or configuration, a Node.js too old, or a limit that is not this command's to set: a controller gives it

Examples:
  slotkeeper limit --repository acme/api
  slotkeeper limit set --repository acme/api --limit 4
  slotkeeper limit set --repository acme/api --limit 1 --reason 'the database is slow' --yes
`
