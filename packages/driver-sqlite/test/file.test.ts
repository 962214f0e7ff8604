import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { type ErrorCode, isSlotkeeperError } from '@slotkeeper/core/driver'
import { describe, expect, test } from 'vitest'
import { loadBetterSqlite } from '../src/runtime.ts'
import {
  bytesIn,
  cleanUp,
  directory,
  driverOf,
  grantOf,
  newPath,
  openDriver,
  openHolder,
  Sqlite,
  start,
  tryFor,
} from './support.ts'

/** Opens and says the code, and the whole message, with which that failed. */
async function failureOf(
  path: string,
  schema: 'migrate' | 'check' = 'migrate',
): Promise<{ code: ErrorCode; message: string }> {
  const driver = driverOf(path)
  let error: unknown
  try {
    await driver.open({ schema })
  } catch (thrown) {
    error = thrown
  }
  if (!isSlotkeeperError(error)) throw new Error(`opening gave ${String(error)}`)
  return { code: error.code, message: error.message }
}

/** That opening fails with this code, names the path, and leaves every byte beside it as it was. */
async function expectRefusal(
  path: string,
  code: ErrorCode,
  schema: 'migrate' | 'check' = 'migrate',
): Promise<void> {
  const before = bytesIn(dirname(path))
  const failure = await failureOf(path, schema)
  expect(failure).toMatchObject({ code })
  expect(failure.message).toContain(path)
  expect(bytesIn(dirname(path))).toEqual(before)
}

describe('a file that cannot be a store is refused and left as it was', () => {
  test('a database of another program, with and without a write-ahead log', async () => {
    for (const mode of ['delete', 'wal']) {
      const path = newPath()
      const foreign = new Sqlite(path)
      foreign.pragma(`journal_mode = ${mode}`)
      foreign.exec('CREATE TABLE users (id INTEGER); INSERT INTO users VALUES (1)')
      foreign.close()
      await expectRefusal(path, 'SLOTKEEPER_STORE_FOREIGN')
    }
  })

  test('a database that another program has open, or left with a log when it crashed', async () => {
    for (const beside of [['-wal', '-shm'], ['-wal']]) {
      const [from, path] = [newPath(), newPath()]
      const foreign = new Sqlite(from)
      foreign.pragma('journal_mode = wal')
      foreign.exec('CREATE TABLE users (id INTEGER); INSERT INTO users VALUES (1)')
      for (const suffix of ['', ...beside]) writeFileSync(path + suffix, readFileSync(from + suffix))
      if (beside.includes('-shm')) {
        // A reader may take note of itself in the index.
        const before = bytesIn(dirname(path))
        expect(await failureOf(path)).toMatchObject({ code: 'SLOTKEEPER_STORE_FOREIGN' })
        const after = bytesIn(dirname(path))
        expect(Object.keys(after)).toEqual(Object.keys(before))
        expect({ ...after, 'slots.db-shm': '' }).toEqual({ ...before, 'slots.db-shm': '' })
      } else await expectRefusal(path, 'SLOTKEEPER_STORE_FOREIGN')
      foreign.close()
    }
  })

  test('a file that is no database', async () => {
    const path = newPath()
    writeFileSync(path, 'a letter to my aunt\n'.repeat(500))
    await expectRefusal(path, 'SLOTKEEPER_STORE_CORRUPT')
  })

  test('a store that is cut short, or overwritten in the middle', async () => {
    for (const damage of ['cut', 'scribbled'] as const) {
      const path = newPath()
      const driver = await openDriver(path)
      await grantOf(driver, 'acme/1', await openHolder(driver))
      await driver.close()
      if (damage === 'cut') truncateSync(path, Math.floor(statSync(path).size / 2))
      else {
        const bytes = readFileSync(path)
        bytes.fill(0xa5, 3 * 4096 + 8, 6 * 4096)
        writeFileSync(path, bytes)
      }
      await expectRefusal(path, 'SLOTKEEPER_STORE_CORRUPT')
    }
  })

  test('a store that a newer release wrote', async () => {
    const path = newPath()
    await (await openDriver(path)).close()
    const newer = new Sqlite(path)
    newer.pragma('user_version = 99')
    newer.close()
    await expectRefusal(path, 'SLOTKEEPER_SCHEMA_TOO_NEW')
  })

  test('a store with a layout that was never in a release', async () => {
    const path = newPath()
    await (await openDriver(path)).close()
    const older = new Sqlite(path)
    older.pragma('user_version = 2')
    older.close()
    await expectRefusal(path, 'SLOTKEEPER_STORE_FOREIGN')
  })

  test('a store that is not there, or empty, when it may only be checked', async () => {
    const path = newPath()
    await expectRefusal(path, 'SLOTKEEPER_SCHEMA_MISSING', 'check')
    writeFileSync(path, '')
    await expectRefusal(path, 'SLOTKEEPER_SCHEMA_MISSING', 'check')
    new Sqlite(path).exec('VACUUM')
    await expectRefusal(path, 'SLOTKEEPER_SCHEMA_MISSING', 'check')
  })

  test('a directory, a path below a file, a missing directory, a device', async () => {
    const folder = directory()
    mkdirSync(join(folder, 'slots.db'))
    expect(await failureOf(join(folder, 'slots.db'))).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION' })
    writeFileSync(join(folder, 'file'), '')
    expect(await failureOf(join(folder, 'file', 'slots.db'))).toMatchObject({
      code: 'SLOTKEEPER_STORE_PERMISSION',
    })
    const missing = await failureOf(join(folder, 'nowhere', 'slots.db'))
    expect(missing).toMatchObject({ code: 'SLOTKEEPER_STORE_PERMISSION' })
    expect(missing.message).toContain('does not exist. Create it')
    expect(await failureOf('/dev/null')).toMatchObject({ code: 'SLOTKEEPER_STORE_FOREIGN' })
  })

  test('a file or a directory that may not be written, by a user who may not', async () => {
    const folder = directory()
    const closed = join(folder, 'closed')
    const hidden = join(folder, 'hidden')
    for (const path of [closed, hidden]) mkdirSync(path)
    const path = join(closed, 'slots.db')
    await (await openDriver(path)).close()
    for (const [file, mode] of [
      [folder, 0o755],
      [closed, 0o755],
      [hidden, 0o700],
      [path, 0o444],
    ] as const)
      chmodSync(file, mode)
    cleanUp(() => chmodSync(hidden, 0o755))
    const codeFor = async (at: string) => await start('open-as-nobody.ts', at).line()
    expect(await codeFor(path)).toBe('SLOTKEEPER_STORE_READ_ONLY')
    chmodSync(path, 0o666)
    expect(await codeFor(path)).toBe('SLOTKEEPER_STORE_READ_ONLY')
    expect(await codeFor(join(closed, 'new.db'))).toBe('SLOTKEEPER_STORE_READ_ONLY')
    expect(await codeFor(join(hidden, 'slots.db'))).toBe('SLOTKEEPER_STORE_PERMISSION')
  })

  test('options that cannot be meant are refused before anything is opened', () => {
    for (const path of ['', ':memory:', 'a\0b', ' slots.db', undefined])
      expect(() => driverOf(path as string)).toThrow(/sqliteDriver path/)
    expect(() => driverOf('slots.db', { busyTimeoutMs: 5000 })).toThrow(/busyTimeoutMs is 5000/)
    expect(() => driverOf('slots.db', { synchronous: 'off' as 'full' })).toThrow(/synchronous/)
  })
})

describe('the runtime', () => {
  test('a Node.js that better-sqlite3 would crash is refused before that is loaded', async () => {
    await expect(loadBetterSqlite({ node: '20.20.2', napi: '9' })).rejects.toMatchObject({
      code: 'SLOTKEEPER_UNSUPPORTED_RUNTIME',
      message: 'The SQLite driver needs Node.js 22.14 or newer; this is 20.20.2.',
    })
    await expect(loadBetterSqlite({ node: '1' })).rejects.toMatchObject({
      code: 'SLOTKEEPER_UNSUPPORTED_RUNTIME',
    })
  })
})

describe('a new file', () => {
  test('many processes that open it at once all succeed', async () => {
    const path = newPath()
    const children = Array.from({ length: 12 }, () => start('open-when-told.ts', path))
    for (const child of children) expect(await child.line()).toBe('ready')
    for (const child of children) child.say('go')
    for (const child of children) expect(await child.line()).toBe('granted')
    const driver = await openDriver(path)
    const { repositories } = await driver.read({ kind: 'repositories', after: '', first: 100 })
    expect(repositories).toMatchObject([{ live: children.length }])
  })

  test('many drivers in one process that open it at once all succeed', async () => {
    const path = newPath()
    const drivers = Array.from({ length: 8 }, () => driverOf(path))
    await Promise.all(drivers.map(async (driver) => driver.open({ schema: 'migrate' })))
    const holder = await openHolder(drivers[0] as (typeof drivers)[0])
    for (const [i, driver] of drivers.entries())
      await grantOf(driver, `acme/${i}`, holder, { proposal: { limit: 100 } })
  })

  test('an empty file, and an empty database, become a store', async () => {
    const empty = newPath()
    writeFileSync(empty, '')
    const vacuumed = newPath()
    new Sqlite(vacuumed).exec('VACUUM')
    for (const path of [empty, vacuumed]) await openDriver(path)
  })

  test('a link leads to one store, with one bell', async () => {
    const path = newPath()
    const link = join(directory(), 'link.db')
    symlinkSync(path, link)
    const [one, other] = [await openDriver(link), await openDriver(path)]
    const holder = await openHolder(one)
    await grantOf(one, 'acme/1', holder)
    expect(await tryFor(other, 'acme/2', holder, { mode: 'try' })).toMatchObject({ reason: 'limit' })
    expect(existsSync(`${link}-bell`)).toBe(false)
    expect(statSync(`${path}-bell`).isFile()).toBe(true)
  })

  test('a store whose file was deleted or replaced is not written on', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    renameSync(path, `${path}.old`)
    await expect(driver.heartbeat(holder)).rejects.toMatchObject({ code: 'SLOTKEEPER_STORE_UNAVAILABLE' })
    expect(await driver.health()).toMatchObject({
      ok: false,
      detail: expect.stringContaining('deleted or replaced'),
    })
    writeFileSync(path, '')
    await expect(driver.heartbeat(holder)).rejects.toMatchObject({ code: 'SLOTKEEPER_STORE_UNAVAILABLE' })
    rmSync(path)
    renameSync(`${path}.old`, path)
    await driver.heartbeat(holder)
  })
})

describe('a full disk', () => {
  test('fails what needs room, keeps what there is, and goes on when there is room again', async () => {
    const path = newPath()
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const row = await grantOf(driver, 'acme/1', holder, { proposal: { limit: 1000 } })
    const { opened } = driver as unknown as { opened: { store: { db: InstanceType<typeof Sqlite> } } }
    const { db } = opened.store
    db.pragma(`max_page_count = ${(db.pragma('page_count', { simple: true }) as number) + 3}`)
    const granted = [row]
    const failure = await (async () => {
      for (let i = 0; i < 1000; i++)
        granted.push(
          await grantOf(driver, `acme/x${i}`, holder, {
            proposal: { limit: 1000 },
            meta: { filler: 'x'.repeat(500) },
          }),
        )
    })().catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'SLOTKEEPER_STORE_FULL', retryable: true })
    expect((await driver.read({ kind: 'holder', holder })).runs).toHaveLength(granted.length)
    db.pragma('max_page_count = 1000000')
    await grantOf(driver, 'acme/after', holder, { proposal: { limit: 1000 } })
    expect((await driver.read({ kind: 'holder', holder })).runs).toHaveLength(granted.length + 1)
  })

  test('a full file system is told as one', async () => {
    if (process.getuid?.() !== 0 || process.platform !== 'linux') return
    const folder = directory()
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', folder], { stdio: 'ignore' })
    } catch {
      // A container without the right to mount; the test above covers what SQLite tells.
      return
    }
    cleanUp(() => {
      execFileSync('umount', ['-l', folder])
    })
    const path = join(folder, 'slots.db')
    const driver = await openDriver(path)
    const holder = await openHolder(driver)
    const fill = async () => {
      for (let i = 0; ; i++)
        await grantOf(driver, `acme/${i}`, holder, {
          proposal: { limit: 100_000 },
          meta: { filler: 'x'.repeat(500) },
        })
    }
    await expect(fill()).rejects.toMatchObject({ code: 'SLOTKEEPER_STORE_FULL' })
    expect((await driver.read({ kind: 'holder', holder })).runs.length).toBeGreaterThan(0)
    await driver.close()
  })
})
