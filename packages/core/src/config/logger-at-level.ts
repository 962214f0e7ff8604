import type { Logger } from '../logger.ts'
import type { LogLevel } from './settings.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies LogLevel[]

const nothing = () => {}

/** Hands on to `logger` what is at least as severe as `level`; the level that the logger itself has counts too. */
export function loggerAtLevel(logger: Logger, level: LogLevel): Logger {
  const at = (own: LogLevel): Logger[LogLevel] =>
    LEVELS.indexOf(own) < LEVELS.indexOf(level) ? nothing : (fields, message) => logger[own](fields, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
