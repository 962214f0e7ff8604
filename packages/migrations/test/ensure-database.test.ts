import { expect, test } from 'vitest'
import { ensureDatabase, migrate, status } from '../src/index.ts'
import {
  addressOf,
  dropAfterwards,
  newDatabase,
  newName,
  newRole,
  onEachServer,
  sql,
} from './support/servers.ts'

onEachServer((server) => {
  test('a missing database is made, once and in UTF-8, by whoever comes first', async () => {
    const name = newName()
    dropAfterwards(server.url, name)
    const connectionString = addressOf(server.url, name)
    const results = await Promise.all(Array.from({ length: 5 }, () => ensureDatabase({ connectionString })))
    expect(results.filter(({ created }) => created)).toHaveLength(1)
    expect(await sql(connectionString, 'SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }])
    expect(await ensureDatabase({ connectionString })).toEqual({ created: false })
  })

  test('a database of another encoding is refused, unless it is wanted', async () => {
    const name = newName()
    dropAfterwards(server.url, name)
    await sql(server.url, `CREATE DATABASE ${name} ENCODING 'LATIN1' TEMPLATE template0`)
    const connectionString = addressOf(server.url, name)
    await expect(ensureDatabase({ connectionString })).rejects.toMatchObject({
      code: 'SLOTKEEPER_STORE_UNSUITABLE',
      message: expect.stringContaining('is LATIN1; UTF8 is needed'),
    })
    expect(await ensureDatabase({ connectionString, encoding: 'LATIN1' })).toEqual({ created: false })
  })

  test('a user who may make no database is told so, and one that is there is fine', async () => {
    const there = await newDatabase(server.url)
    const role = await newRole(there)
    const as = (database: string) => ({ connectionString: addressOf(server.url, database, role) })
    await expect(ensureDatabase(as(newName()))).rejects.toMatchObject({
      code: 'SLOTKEEPER_STORE_PERMISSION',
      message: expect.stringContaining('is missing and cannot be made'),
    })
    expect(await ensureDatabase(as(new URL(there).pathname.slice(1)))).toEqual({ created: false })
  })

  test('a file that would copy from standard input is refused, and does not hang', async () => {
    const options = {
      connectionString: await newDatabase(server.url),
      source: [{ path: 'a/001_x.sql', content: 'CREATE TABLE x (t text); COPY x FROM stdin;' }],
    }
    await expect(migrate(options)).rejects.toMatchObject({
      code: 'SLOTKEEPER_MIGRATION_FAILED',
      statement: 2,
      message: expect.stringContaining('write INSERT'),
    })
    expect(await status(options)).toMatchObject([{ state: 'pending' }])
  })
})
