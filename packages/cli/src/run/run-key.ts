import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { basename } from 'node:path'
import { MAX_KEY_BYTES, type RepositoryKey, type RunKey } from '@slotkeeper/core'

const LONGEST_WORD = 40

/**
 * A run key that no other process makes, in the repository's namespace, for people to recognise: the command, the host, the process,
 * six random letters or digits. What does not fit into a key is left out from the front.
 */
export function ownRunKey(repository: RepositoryKey, command: string): RunKey {
  const namespace = repository.slice(0, repository.indexOf('/'))
  const random = randomBytes(6).toString('hex').slice(0, 6)
  const words = [word(basename(command)), word(hostname()), String(process.pid), random]
  const room = MAX_KEY_BYTES - Buffer.byteLength(namespace) - 1
  while (words.length > 1 && Buffer.byteLength(words.join('-')) > room) words.shift()
  return `${namespace}/${words.join('-')}`
}

function word(text: string): string {
  return (
    text
      .toWellFormed()
      .replace(/[/\s\p{Cc}]+/gu, '_')
      .slice(0, LONGEST_WORD)
      .toWellFormed() || 'command'
  )
}
