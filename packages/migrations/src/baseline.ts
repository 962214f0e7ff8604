import { InvalidArgumentError } from '@slotkeeper/core'
import { type MigrationsOptions, Workplace } from './workplace.ts'

/** Which files a database has already. */
export interface BaselineOptions extends MigrationsOptions {
  /** The last file of each schema that it has. Files of schemas that are not named are left as they are. Default: it has all files. */
  readonly through?: readonly string[]
}

/**
 * Writes into the ledger that files are applied, without running them: for a database that was made before there was a ledger.
 * Files that are in it already stay as they are. Answers what was written.
 * @throws SlotkeeperError (`SLOTKEEPER_INVALID_ARGUMENT`) when `through` names no file of the source
 */
export async function baseline(options: BaselineOptions): Promise<readonly string[]> {
  return await Workplace.open(options, async (place) => {
    const { look } = await place.look()
    const last = lastNumbers(place, options.through)
    await place.begin(look)
    // Others may have written between the look and the lock.
    const { statuses } = await place.look()
    const isNew = new Set(statuses.flatMap(({ path, appliedBy }) => (appliedBy === undefined ? [path] : [])))
    const chosen = place.migrations.filter(
      ({ path, schema, number }) => isNew.has(path) && number <= (last?.get(schema) ?? (last ? -1 : number)),
    )
    if (chosen.length > 0)
      await place.session.query(
        chosen.map((migration) => place.ledger.insertApplied(migration, 'baseline')).join(';'),
        'The ledger cannot be written',
      )
    await place.commit()
    return chosen.map(({ path }) => path)
  })
}

function lastNumbers(
  place: Workplace,
  through: readonly string[] | undefined,
): Map<string, number> | undefined {
  if (through === undefined) return undefined
  return new Map(
    through.map((path) => {
      const found = place.migrations.find((migration) => migration.path === path)
      if (found === undefined) throw new InvalidArgumentError(`There is no migration ${path}.`)
      return [found.schema, found.number]
    }),
  )
}
