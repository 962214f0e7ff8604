import pg from 'pg'

const CLOSE_MS = 1_000

/**
 * One question on a connection of its own, which is closed whatever happens. Connecting and answer together take `ms` at the most, also
 * where a network swallows everything.
 * @throws the error of the server or of the connection, as pg has it
 */
export async function askOnce(config: pg.ClientConfig, text: string, ms: number): Promise<pg.QueryResult> {
  const client = new pg.Client(config)
  client.on('error', nothing) // the question tells
  const late = setTimeout(
    () => client.connection.stream.destroy(new Error(`there was no answer within ${ms} ms`)),
    ms,
  ).unref()
  try {
    await client.connect()
    return await client.query(text)
  } finally {
    clearTimeout(late)
    await close(client)
  }
}

/** Says goodbye, and does not wait for somebody who does not say it. Never fails. */
export async function close(client: pg.Client): Promise<void> {
  const late = setTimeout(() => client.connection.stream.destroy(), CLOSE_MS).unref()
  await client.end().catch(nothing)
  clearTimeout(late)
}

function nothing(): void {}
