// One of the processes of contend.ts, on PostgreSQL, or on what it is held against.
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Semaphore } from 'redis-semaphore'
import { machineMs, type Role } from '../contend.ts'
import { type Held, hotSlots, takeTurns } from '../take-turns.ts'
import { connected, oneByOne, openManager } from './database.ts'
import type { Contender, PostgresContention } from './hot.ts'

const role = JSON.parse(process.argv[2] as string) as Role & PostgresContention

/** How long somebody waits who was refused: shorter pauses make it slower for all. */
const POLL_MS = 2
/** What a lease of redis-semaphore and a wait for it may take here: none ends while figures are taken. */
const LONG_MS = 60_000

const contenders: Readonly<Record<Contender, () => Promise<void>>> = {
  ours: async () => {
    await using manager = openManager(role.url)
    await manager.health()
    await takeTurns(
      role,
      hotSlots(role, () => manager),
    )
  },
  apart: async () => {
    await using managers = await oneByOne(role.url, role.waiters)
    await takeTurns(
      role,
      hotSlots(role, (waiter) => managers.at(waiter)),
    )
  },
  advisory: async () => {
    const clients = await Promise.all(Array.from({ length: role.waiters }, () => connected(role.url)))
    await takeTurns(role, (waiter) => advisoryLock(clients[waiter] as (typeof clients)[number]))
    await Promise.all(clients.map((client) => client.end()))
  },
  redis: async () => {
    const url = process.env.BENCH_REDIS_URL
    if (url === undefined) throw new Error('BENCH_REDIS_URL is missing: npm run bench sets it.')
    const redis = new Redis(url)
    await redis.ping()
    const options = { lockTimeout: LONG_MS, acquireTimeout: LONG_MS }
    await takeTurns(role, async () => {
      const semaphore = new Semaphore(redis, role.url, role.limit, options)
      await semaphore.acquire()
      return { token: machineMs(), number: 0, release: () => semaphore.release() }
    })
    redis.disconnect()
  },
}

/** The first lock of so many that is free, in one statement; asked for again after a pause as long as none is. */
async function advisoryLock(client: Awaited<ReturnType<typeof connected>>): Promise<Held> {
  const lock = {
    name: 'lock',
    text: 'SELECT number FROM generate_series(1, $1::int) AS number WHERE pg_try_advisory_lock(1, number) LIMIT 1',
    values: [role.limit],
  }
  for (;;) {
    const { rows } = await client.query<{ number: number }>(lock)
    const number = rows[0]?.number
    if (number !== undefined) {
      const unlock = { name: 'unlock', text: 'SELECT pg_advisory_unlock(1, $1)', values: [number] }
      return { token: machineMs(), number, release: () => client.query(unlock) }
    }
    await sleep(POLL_MS)
  }
}

await contenders[role.contender]()
