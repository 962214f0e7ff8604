import type { Output } from '../output.ts'

/** `slotkeeper migrate …` is `slotkeeper-migrate …`; loaded only when it is asked for, since it brings a client of PostgreSQL along. */
export async function migrateVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  const { runMigrateCommand } = await import('@slotkeeper/migrations/command')
  return await runMigrateCommand(argv, { out: (text) => out.write(text), err: (text) => err.write(text) })
}
