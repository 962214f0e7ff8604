import { Manager, type ManagerOptions } from '@slotkeeper/core'
import { openStore } from './open-store.ts'

/**
 * Does something with a store that is there already, through a Manager of its own, which is closed whatever happens.
 * @throws ExitError, SlotkeeperError; `SLOTKEEPER_SCHEMA_MISSING` when there is no store
 */
export async function withStore<T>(
  given: string | undefined,
  work: (manager: Manager, name: string) => Promise<T>,
  options: Pick<ManagerOptions, 'label' | 'logger'> = {},
): Promise<T> {
  const { driver, name } = await openStore(given, { make: false })
  const manager = new Manager({ driver, schema: 'check', ...options })
  try {
    return await work(manager, name)
  } finally {
    await manager.close()
  }
}
