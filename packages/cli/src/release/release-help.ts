import { defaultStorePath } from '../store/default-store.ts'

/** `slotkeeper release --help`. */
export const RELEASE_HELP = `Takes a run's slot away and gives it to whoever waits, for slots whose owner is beyond help. The run itself is not ended: stop it first,
or for a while both run. Its holder hears of it with its next heartbeat.

Usage: slotkeeper release --repository NS/NAME --run NS/NAME --reason TEXT [options]

  --repository NS/NAME  the repository whose slot it is
  --run NS/NAME         the run that has it
  --lease LEASE         only if it is still this one, as 'slotkeeper status --json' shows it; default: the one that it has now
  --reason TEXT         why, for the audit trail. Never a secret
  --actor TEXT          who, for the audit trail; default: the user of the operating system
  --yes                 do it without asking
  --store STORE         sqlite:PATH, postgresql://USER@HOST/DATABASE or etcd://HOST:PORT; default: $SLOTKEEPER_STORE, else
                        sqlite:${defaultStorePath()}
  --json                what was done, as one JSON object; README.md says what is in it
  -h, --help

Shows the slot and asks first; without a terminal it needs --yes. What is freed is exactly the lease that was shown: when the run has
another one by then, nothing is freed. Who and why stand in the event that 'slotkeeper watch' prints.

Exit code: 0, or
  66   the run has no slot; nothing was freed
  69   the store cannot be used, or there is none yet
  76   the slot was freed or has another lease meanwhile; nothing was freed
  77   nobody said yes: the answer was no, or there is no terminal and no --yes; nothing was freed
  125  wrong usage or configuration, or a Node.js too old

Examples:
  slotkeeper release --repository acme/api --run acme/build-17 --reason 'its node is gone'
  slotkeeper release --repository acme/api --run acme/build-17 --lease lease-4x2 --reason 'its node is gone' --yes
`
