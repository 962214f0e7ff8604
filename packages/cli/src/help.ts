/** `slotkeeper --help`. */
export const HELP = `slotkeeper: at most N commands of a repository at once, the others wait in order, and a dead owner's slot comes back.

Usage: slotkeeper VERB [options]

  run      run a command under a slot
  status   show slots and queues

  slotkeeper VERB --help   the options of a verb, its exit codes, examples
  slotkeeper --version

Examples:
  slotkeeper run --repository acme/api --limit 2 -- make test
  slotkeeper status --repository acme/api

SLOTKEEPER_DEBUG=1 adds a stack to an error's message.
`
