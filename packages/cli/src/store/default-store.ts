import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/**
 * Where the slots of this user are kept when nothing else is said: `slotkeeper/slots.db` below `$XDG_STATE_HOME`, or below
 * `~/.local/state` where that is not set or not absolute (https://specifications.freedesktop.org/basedir-spec/latest/).
 */
export function defaultStorePath(env: NodeJS.ProcessEnv = process.env): string {
  const state = env.XDG_STATE_HOME ?? ''
  return join(isAbsolute(state) ? state : join(homedir(), '.local', 'state'), 'slotkeeper', 'slots.db')
}
