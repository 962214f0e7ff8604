/** `slotkeeper restored --help`. */
export const RESTORED_HELP = `After etcd was restored from a backup: raises the fencing tokens of a store above all that were granted before.

Usage: slotkeeper restored --store etcd://HOST:PORT/PREFIX [options]

  --store STORE         etcd://HOST:PORT,HOST:PORT/PREFIX; default: $SLOTKEEPER_STORE
  --yes                 do it without asking
  --json                one JSON object; README.md says what is in it
  -h, --help

A backup knows nothing of the tokens that were granted after it, and would grant them again. Do this before the programs are started
again, on a machine whose clock is right: tokens go on above its time in microseconds. Doing it once too often costs nothing. Other
stores need no such thing: SQLite and PostgreSQL never fall behind the clock.

Exit code: 0, or
  69   the store cannot be used, or there is none
  77   nobody said yes: the answer was no, or there is no terminal and no --yes; nothing was changed
  125  wrong usage, or a store of another kind

Examples:
  slotkeeper restored --store etcd://etcd-0.example:2379
  slotkeeper restored --store etcd://etcd-0.example:2379/slots --yes
`
