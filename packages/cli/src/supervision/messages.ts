import type { Duplex } from 'node:stream'
import type { Deadline } from './deadline.ts'

/** What the wrapper tells its supervisor. */
export type Order =
  /** Start the command, once, after `ready`. */
  | {
      readonly kind: 'start'
      readonly command: string
      readonly args: readonly string[]
      readonly env: Readonly<Record<string, string>>
      /** How long before the deadline the command is asked to end. */
      readonly graceMs: number
      readonly deadline: Deadline
    }
  /** A heartbeat succeeded: the lease is provably held until then. */
  | { readonly kind: 'extend'; readonly deadline: Deadline }
  /** The lease is lost: end the command within so many ms. */
  | { readonly kind: 'end'; readonly withinMs: number }

/** What the supervisor tells its wrapper. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'started'; readonly group: number }
  /** The command could not be started; `code` is the system's, such as `ENOENT`. */
  | { readonly kind: 'not-started'; readonly code: string; readonly message: string }
  /** The command is over, and nothing is left of its process group. `ended`: the supervisor ended it before the lease did. */
  | {
      readonly kind: 'over'
      readonly exitCode: number | null
      readonly signal: NodeJS.Signals | null
      readonly ended: boolean
    }

/** One message a line. */
export function send(pipe: Duplex, message: Order | Report): void {
  if (pipe.writable) pipe.write(`${JSON.stringify(message)}\n`)
}

/** Calls `hear` for each message. The other side dying is an end, never an error. */
export function listen<M extends Order | Report>(
  pipe: Duplex,
  hear: (message: M) => void,
  ended: () => void,
): void {
  let rest = ''
  let over = false
  const end = () => {
    if (!over) ended()
    over = true
  }
  pipe.setEncoding('utf8')
  pipe.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) hear(JSON.parse(line) as M)
  })
  pipe.on('end', end)
  pipe.on('close', end)
  pipe.on('error', end)
}
