import type { Logger } from '@slotkeeper/core'

/** One thing that was logged. */
export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** What was logged with it; `event` names the kind of entry. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

/** A logger that keeps what it is told. */
export interface RecordingLogger extends Logger {
  /** Everything so far, in its order. */
  readonly entries: readonly LogEntry[]
  /** The first entry with this `event`, and these other fields where they are given. */
  find(event: string, fields?: Readonly<Record<string, unknown>>): LogEntry | undefined
  /** All entries with this `event`. */
  all(event: string, fields?: Readonly<Record<string, unknown>>): readonly LogEntry[]
  /** Forgets everything so far. */
  clear(): void
}

/**
 * Makes a logger for tests that look at what was logged.
 * @example
 * const logger = recordingLogger()
 * await using t = testManager({ logger })
 * await t.manager.acquireSlot({ repository: repository('acme/api'), run: 'acme/build-17' })
 * assert.equal(logger.find('acquired')?.fields.run, 'acme/build-17')
 */
export function recordingLogger(): RecordingLogger {
  const entries: LogEntry[] = []
  const record = (level: LogEntry['level']) => (fields: object, message: string) => {
    entries.push({ level, fields: { ...fields }, message })
  }
  const all = (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
    entries.filter(
      (entry) =>
        entry.fields.event === event &&
        Object.entries(fields).every(([name, value]) => entry.fields[name] === value),
    )
  return {
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
    entries,
    all,
    find: (event, fields) => all(event, fields)[0],
    clear() {
      entries.length = 0
    },
  }
}
