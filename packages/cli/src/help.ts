/** `slotkeeper --help`. */
export const HELP = `slotkeeper: at most N commands of a repository at once, the others wait in order, and a dead owner's slot comes back.

Usage: slotkeeper VERB [options]

  run      run a command under a slot

  status   show slots and queues
  queue    show who waits, in order
  explain  say why a run waits, behind whom, at which place
  watch    print what happens, as JSON lines

  release  take a slot away, by the lease that was seen
  pause    grant nothing new
  drain    grant nothing new, and let nobody queue
  resume   grant again
  limit    show a limit, or set it

  migrate  apply SQL migrations to a PostgreSQL database
  restored raise fencing tokens after etcd was restored from a backup

  slotkeeper VERB --help   the options of a verb, its exit codes, examples
  slotkeeper --version

Examples:
  slotkeeper run --repository acme/api --limit 2 -- make test
  slotkeeper status --repository acme/api
  slotkeeper explain --repository acme/api --run acme/build-17
  slotkeeper pause --repository acme/api --reason 'the database is being upgraded'

SLOTKEEPER_DEBUG=1 adds a stack to an error's message.
`
