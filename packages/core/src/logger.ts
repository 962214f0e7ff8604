/** Where the SDK writes what it does; the shape of pino and of most others. Objects never hold a secret. */
export interface Logger {
  /** Every single step. */
  debug(fields: object, message: string): void
  /** What happens to slots. */
  info(fields: object, message: string): void
  /** What works and should not stay so. */
  warn(fields: object, message: string): void
  /** What failed and was not told to a caller. */
  error(fields: object, message: string): void
}

const nothing = () => {}

/** Writes nothing. */
export const silentLogger: Logger = Object.freeze({
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
})
