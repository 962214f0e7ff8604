import pg from 'pg'
import { until } from './command.ts'
import { sql } from './servers.ts'

/** Somebody who holds what a migration waits for. */
export interface Gate extends AsyncDisposable {
  /** Until a statement of this database waits for it, and which process of the server that is. */
  blocked(): Promise<number>
  /** Lets go. */
  open(): Promise<void>
  /** Until the server has ended this connection too. */
  readonly lost: Promise<unknown>
}

/** Takes a lock by `text`, in a session of its own. */
export async function gate(url: string, text: string): Promise<Gate> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined) // `lost` tells
  await client.connect()
  const lost = new Promise((resolve) => client.once('end', resolve))
  await client.query(text)
  const open = () => client.end()
  return {
    async blocked() {
      let pid: unknown
      await until(async () => {
        const [row] = await sql(
          url,
          `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        )
        pid = row?.pid
        return pid !== undefined
      })
      return Number(pid)
    },
    open,
    lost,
    [Symbol.asyncDispose]: open,
  }
}
