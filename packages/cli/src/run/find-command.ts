import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { EXIT } from '../exit-codes.ts'
import { ExitError } from '../exit-error.ts'

/**
 * Looks for the command as a shell does, so that a mistyped one is told before the wait and not after it.
 * @throws ExitError with exit code 127 when it is not there, 126 when it is no file that may be run
 */
export function checkCommand(command: string, path: string | undefined): void {
  const places = command.includes('/')
    ? [command]
    : searched(path).map((directory) => join(directory, command))
  const found = places.map(look)
  if (found.includes('runs')) return
  throw found.includes('does-not-run')
    ? cannotRun(command, 'it is not a file that may be executed')
    : notFound(command)
}

/** What the system's code for a failed start means. */
export function startFailure(command: string, code: string, message: string): ExitError {
  // A script whose interpreter is missing says ENOENT as well; a shell calls that not found, too.
  return code === 'ENOENT' ? notFound(command) : cannotRun(command, message)
}

function look(file: string): 'runs' | 'does-not-run' | 'absent' {
  try {
    if (!statSync(file).isFile()) return 'does-not-run'
    accessSync(file, constants.X_OK)
    return 'runs'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'does-not-run' : 'absent'
  }
}

/** Without PATH the C library looks here (execvp(3)). */
function searched(path = '/bin:/usr/bin'): readonly string[] {
  return path.split(delimiter).map((directory) => directory || '.')
}

function notFound(command: string): ExitError {
  return new ExitError(`${command}: command not found.`, EXIT.notFound)
}

function cannotRun(command: string, why: string): ExitError {
  return new ExitError(`${command}: cannot be run: ${why}.`, EXIT.cannotRun)
}
