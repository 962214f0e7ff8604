/** The command line cannot be meant, or what it names cannot be used: says what was asked, what was found and what to do. */
export class UsageError extends Error {
  readonly exitCode: number

  /** `exitCode`: 125 unless told. */
  constructor(message: string, exitCode = 125) {
    super(message)
    this.name = 'UsageError'
    this.exitCode = exitCode
  }
}
