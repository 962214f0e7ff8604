import { describe, expect, test, vi } from 'vitest'
import { migrate } from '../src/index.ts'
import { Command, until } from './support/command.ts'
import { contentOf } from './support/content.ts'
import { newDirectory, write } from './support/files.ts'
import { gate } from './support/gate.ts'
import { throughProxy } from './support/proxy.ts'
import { newDatabase, onEachServer, sql } from './support/servers.ts'
import { files, gateOf } from './support/twenty-files.ts'

vi.setConfig({ testTimeout: 500_000 })

/** All moments are tried with SLOTKEEPER_EXHAUSTIVE=1, otherwise each so many. */
const every = (some: number) => (process.env.SLOTKEEPER_EXHAUSTIVE === '1' ? 1 : some)

const TIMES = [
  ['before', false],
  ['after', true],
] as const

onEachServer((server) => {
  const content = (url: string) => contentOf(url, server.version)
  /** What comes of the files when nothing happens, in how many messages. */
  const untouched = async () => {
    const url = await newDatabase(server.url)
    await using proxy = await throughProxy(url)
    await migrate({ connectionString: proxy.url, source: files })
    const boundaries = proxy.messages().length
    expect(boundaries).toBeGreaterThan(40)
    return { expected: await content(url), boundaries }
  }
  const directoryOf = async () => {
    const directory = await newDirectory()
    await write(directory, Object.fromEntries(files.map(({ path, content }) => [path, String(content)])))
    return directory
  }

  describe('a connection cut', () => {
    test.each(TIMES)(
      '%s any message to the server leaves what the next start makes whole',
      async (_, isSent) => {
        const { expected, boundaries } = await untouched()
        for (let boundary = isSent ? 2 : 1; boundary <= boundaries; boundary += every(8)) {
          const url = await newDatabase(server.url)
          await using proxy = await throughProxy(url, (number) => {
            if (number !== boundary) return true
            // What was sent is carried out by a server that finds nobody to tell.
            if (isSent) setImmediate(() => proxy.cut())
            else proxy.cut()
            return isSent
          })
          await expect(migrate({ connectionString: proxy.url, source: files })).rejects.toMatchObject({
            code: 'SLOTKEEPER_STORE_UNAVAILABLE',
          })
          await migrate({ connectionString: url, source: files })
          expect(await content(url), `cut at ${boundary}`).toEqual(expected)
        }
      },
    )
  })

  describe('a process killed', () => {
    test.each(TIMES)(
      '%s any message to the server leaves what the next one makes whole',
      async (_, isSent) => {
        const directory = await directoryOf()
        const { expected, boundaries } = await untouched()
        const first = isSent ? 4 : 3 // those before are of making sure of the database
        for (let boundary = first; boundary <= boundaries; boundary += every(20)) {
          const url = await newDatabase(server.url)
          const ref: { command?: Command } = {}
          await using proxy = await throughProxy(url, (number) => {
            if (number === boundary) ref.command?.child.kill('SIGKILL')
            return number < boundary || (isSent && number === boundary)
          })
          ref.command = new Command(['up', '--source', directory], { DATABASE_URL: proxy.url })
          expect(await ref.command.ended).toMatchObject({ signal: 'SIGKILL' })
          const again = new Command(['up', '--source', directory], { DATABASE_URL: url })
          expect(await again.ended).toMatchObject({ code: 0 })
          expect(await content(url), `killed at ${boundary}`).toEqual(expected)
        }
      },
    )

    test('in the middle of any file leaves what the next one makes whole', async () => {
      const directory = await directoryOf()
      const { expected } = await untouched()
      for (let at = 0; at < files.length; at += every(5)) {
        const url = await newDatabase(server.url)
        await migrate({ connectionString: url, source: files.slice(0, at), allowEmpty: true })
        await using closed = await gate(url, gateOf(at))
        const command = new Command(['up', '--source', directory], { DATABASE_URL: url })
        await closed.blocked()
        command.child.kill('SIGKILL')
        await command.ended
        await closed.open()
        const again = new Command(['up', '--source', directory], { DATABASE_URL: url })
        expect(await again.ended).toMatchObject({ code: 0 })
        expect(await content(url), `killed in ${files[at]?.path}`).toEqual(expected)
      }
    })

    test.each([
      ['a transaction', 2],
      ['none', 1],
    ])(
      'in the middle of a statement that does not end, in %s: the server gives its lock back, and the next one makes it whole',
      async (_, at) => {
        const directory = await directoryOf()
        const { expected } = await untouched()
        const url = await newDatabase(server.url)
        const up = () =>
          new Command(['up', '--source', directory, '--lock-timeout', '0'], { DATABASE_URL: url })
        await migrate({ connectionString: url, source: files.slice(0, at) })
        await using closed = await gate(url, gateOf(at))
        const command = up()
        const pid = await closed.blocked()
        command.child.kill('SIGKILL')
        await command.ended
        const again = up()
        await until(
          async () => (await sql(url, `SELECT 1 FROM pg_stat_activity WHERE pid = ${pid}`)).length === 0,
        )
        await closed.open()
        expect(await again.ended).toMatchObject({ code: 0 })
        expect(await content(url)).toEqual(expected)
      },
    )
  })
})
