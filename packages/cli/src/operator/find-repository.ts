import { type Manager, nearestName, type RepositoryInfo, type RepositoryKey } from '@slotkeeper/core'
import { EXIT } from '../exit-codes.ts'
import { ExitError } from '../exit-error.ts'

const PAGE = 1000

/**
 * The repository's limit and counts.
 * @throws ExitError 66 when the store does not know it, with the nearest name of its namespace: a slip of the pen must not pause nothing
 */
export async function findRepository(manager: Manager, key: RepositoryKey): Promise<RepositoryInfo> {
  const namespace = key.slice(0, key.indexOf('/') + 1)
  const names: string[] = []
  for (let after = namespace; ; ) {
    const page = await manager.getRepositories({ first: PAGE, after })
    const inside = page.filter(({ repository }) => repository.startsWith(namespace))
    const found = inside.find(({ repository }) => repository === key)
    if (found !== undefined) return found
    names.push(...inside.map(({ repository }) => repository))
    const last = page.at(-1)
    if (inside.length < PAGE || last === undefined) break
    after = last.repository
  }
  const [first, ...others] = names
  const hint =
    first === undefined
      ? 'slotkeeper status lists those that it knows.'
      : `Did you mean ${nearestName(key, [first, ...others])}?`
  throw new ExitError(`The store knows no repository ${key}. ${hint}`, EXIT.notThere)
}
