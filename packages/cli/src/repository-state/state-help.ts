import { defaultStorePath } from '../store/default-store.ts'

const OPTIONS = `  --repository NS/NAME  which one
  --reason TEXT         why, for the audit trail. Never a secret
  --actor TEXT          who, for the audit trail; default: the user of the operating system
  --yes                 do it without asking
  --store STORE         sqlite:PATH, postgresql://USER@HOST/DATABASE or etcd://HOST:PORT; default: $SLOTKEEPER_STORE, else
                        sqlite:${defaultStorePath()}
  --json                what was done, as one JSON object; README.md says what is in it
  -h, --help

Who and why stand in the event that 'slotkeeper watch' prints.

Exit code: 0 (also when it was so already), or
  66   the store knows no such repository; nothing was changed
  69   the store cannot be used, or there is none yet
  77   nobody said yes: the answer was no, or there is no terminal and no --yes; nothing was changed
  125  wrong usage or configuration, a Node.js too old, or a repository that is being removed
`

/** `slotkeeper pause --help` and its like. */
export const STATE_HELP = Object.freeze({
  pause: `Pauses a repository: nothing new is granted until it is resumed. Runs that have slots go on, and runs may queue.

Usage: slotkeeper pause --repository NS/NAME --reason TEXT [options]

Asks first; without a terminal it needs --yes.

${OPTIONS}
Examples:
  slotkeeper pause --repository acme/api --reason 'the database is being upgraded'
  slotkeeper pause --repository acme/api --reason 'release freeze' --yes
`,
  drain: `Drains a repository: nothing new is granted and nothing new may queue until it is resumed. Runs that have slots go on, and runs
that wait keep their places.

Usage: slotkeeper drain --repository NS/NAME --reason TEXT [options]

Asks first; without a terminal it needs --yes.

${OPTIONS}
Examples:
  slotkeeper drain --repository acme/api --reason 'the repository moves'
  slotkeeper drain --repository acme/api --reason 'the repository moves' --yes --json
`,
  resume: `Makes a paused or draining repository active again: free slots go to whoever waits, in order. Asks nothing.

Usage: slotkeeper resume --repository NS/NAME [options]

${OPTIONS}
Examples:
  slotkeeper resume --repository acme/api
  slotkeeper resume --repository acme/api --reason 'the upgrade is done' --json
`,
})
