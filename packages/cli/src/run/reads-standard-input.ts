import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'

/**
 * Whether the command may read this process's standard input: always when it is a pipe or a file, and a terminal only from its
 * foreground. The command is in a session of its own, where the system would not stop a background job from taking what is typed
 * for the shell.
 */
export function readsStandardInput(): boolean {
  if (!isatty(0)) return true
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1')
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return group === foreground || foreground === '-1'
  } catch {
    return true // not Linux; nobody tells
  }
}
