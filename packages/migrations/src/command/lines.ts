import type { Logger } from '@slotkeeper/core'

/** Where the command writes. */
export interface Streams {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** One line for each event: for people, or as JSON. `debug` says nothing. */
export function lineLogger(write: (text: string) => void, isJson: boolean): Logger {
  const line = (level: string) => (fields: object, message: string) => {
    const time = new Date().toISOString()
    if (isJson) return write(`${JSON.stringify({ time, level, message, ...fields })}\n`)
    const facts = Object.entries(fields).map(([name, value]) => ` ${name}=${printable(value)}`)
    write(`${time} ${level} ${message}${facts.join('')}\n`)
  }
  return { debug: () => undefined, info: line('info'), warn: line('warn'), error: line('error') }
}

/** Names of files come from elsewhere, and must not steer a terminal. */
function printable(value: unknown): string {
  const text = value instanceof Date ? value.toISOString() : String(value)
  return /^[\w./:-]+$/.test(text) ? text : JSON.stringify(text)
}
