/** Ends the command with a sentence, which says what was asked, what was found and what to do, and an exit code. */
export class ExitError extends Error {
  readonly exitCode: number

  /** `exitCode`: one of EXIT; default 125, for a command line that cannot be meant. */
  constructor(message: string, exitCode = 125) {
    super(message)
    this.name = 'ExitError'
    this.exitCode = exitCode
  }
}
