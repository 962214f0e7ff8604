// One run: a process of its own that says in the log when it begins and when it ends. Plain JavaScript, since it starts in half the
// time, and dozens of it are started. Its standard input is a pipe that its worker holds: end of file means that the worker is dead,
// or has lost the slot, and that somebody else may soon get the slot. So it stops at once, long before the lease is over.
//
//   node run-one.mjs LOG WORKER REPOSITORY RUN MILLISECONDS
import { openSync, writeSync } from 'node:fs'

const [log = '', worker, repository, run, milliseconds] = process.argv.slice(2)
const { SLOTKEEPER_FENCING_TOKEN: token, SLOTKEEPER_SLOT_NUMBER: slot } = process.env
const { pid } = process
const file = openSync(log, 'a')

/** Appends a line by one write, so that lines of several processes never mix. */
function say(line) {
  const at = Number(process.hrtime.bigint() / 1000n) / 1000
  writeSync(file, `${JSON.stringify({ at, ...line })}\n`)
}

function end(outcome, exitCode) {
  say({ event: 'end', outcome, run, pid })
  process.exit(exitCode)
}

say({ event: 'start', worker, repository, run, pid, token, slot: slot ? Number(slot) : undefined })
process.stdin.on('end', () => end('stopped', 75)).resume()
setTimeout(() => end('done', 0), Number(milliseconds))
