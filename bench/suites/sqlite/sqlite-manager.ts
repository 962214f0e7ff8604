import { join } from 'node:path'
import { Manager } from '@slotkeeper/core'
import { sqliteDriver } from '@slotkeeper/driver-sqlite'
import type { Context, Measure, Sample } from '../../harness/case.ts'

/**
 * A subject that works with a Manager with default options over a new file, or over `file` of the case's directory; the driver's options
 * are the default ones too, but for `synchronous`, where the goal names the other mode.
 */
export function withSqlite(
  work: (manager: Manager, context: Context) => Promise<Sample>,
  options: { readonly synchronous?: 'normal'; readonly file?: string } = {},
): Measure {
  const { file = `store-${process.pid}.db`, ...rest } = options
  return async (context) => {
    await using manager = new Manager({
      driver: sqliteDriver({ path: join(context.directory, file), ...rest }),
    })
    return await work(manager, context)
  }
}
