import { InvalidArgumentError } from '@slotkeeper/core'
import type { FileStatus } from './compare.ts'
import { type MigrationsOptions, Workplace } from './workplace.ts'

/** What is right where files and ledger differ. Paths as `status` tells them. */
export interface RepairOptions extends MigrationsOptions {
  /** The ledger shall say that these files are applied as they are now: edited, renamed, unfinished, out of order. Nothing is run. */
  readonly accept?: readonly string[]
  /** The ledger shall not know these files: missing ones are gone for good, others will be run (again). */
  readonly forget?: readonly string[]
}

/**
 * Makes the ledger agree with the files, one by one and only those that are named. The database itself is not touched.
 * @throws SlotkeeperError (`SLOTKEEPER_INVALID_ARGUMENT`) when a name does not fit; nothing is changed then
 */
export async function repair(options: RepairOptions): Promise<void> {
  const { accept = [], forget = [] } = options
  if (accept.length + forget.length === 0)
    throw new InvalidArgumentError('There is nothing to repair: name files to accept or to forget.')
  await Workplace.open(options, async (place) => {
    await place.begin((await place.look()).look)
    const { look, statuses } = await place.look()
    const statusOf = (path: string) => {
      const found = statuses.find((status) => status.path === path)
      if (found === undefined)
        throw new InvalidArgumentError(`There is no migration ${path}, neither as a file nor in the ledger.`)
      return found
    }
    const { ledger, session } = place
    const statements = [
      ...accept.flatMap((path) => {
        const migration = place.migrations.find((one) => one.path === path)
        refuse(statusOf(path), ['missing', 'applied'], 'accept')
        return migration === undefined
          ? []
          : [ledger.deleteRow(migration), ledger.insertApplied(migration, 'repair')]
      }),
      ...forget.map((path) => {
        refuse(statusOf(path), ['pending', 'out-of-order'], 'forget')
        const migration = place.migrations.find((one) => one.path === path)
        const row = look.rows.find(
          ({ schema, number }) => migration === undefined && isPath(path, schema, number),
        )
        return ledger.deleteRow(migration ?? row ?? { schema: '', number: 0 })
      }),
    ]
    await session.query(statements.join(';'), 'The ledger cannot be written')
    await place.commit()
  })
}

function refuse({ path, state }: FileStatus, states: readonly FileStatus['state'][], what: string): void {
  if (states.includes(state))
    throw new InvalidArgumentError(`${path} is ${state}: there is nothing to ${what}.`)
}

function isPath(path: string, schema: string, number: number): boolean {
  const [ofPath, file = ''] = path.split('/')
  return ofPath === schema && Number.parseInt(file, 10) === number
}
