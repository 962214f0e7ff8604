import { randomBytes } from 'node:crypto'
import { type Driver, Manager, type ManagerOptions } from '@slotkeeper/core'
import { etcdDriver } from '@slotkeeper/driver-etcd'
import { Etcd3 } from 'etcd3'
import type { Context, Measure, Sample } from '../../harness/case.ts'

/** Whatever a client may ask of etcd that reads or writes. */
const METHODS = [
  'Txn',
  'Range',
  'Put',
  'DeleteRange',
  'Watch',
  'LeaseGrant',
  'LeaseRevoke',
  'LeaseKeepAlive',
  'Status',
] as const

/** The members of the cluster that `npm run bench` has started, or of yours. */
function endpoints(): string[] {
  const value = process.env.BENCH_ETCD_ENDPOINTS
  if (value === undefined) throw new Error('BENCH_ETCD_ENDPOINTS is missing: npm run bench sets it.')
  return value.split(',')
}

/** The prefix of a store that nobody has. What is below it stays: a server of the project's own is thrown away, and yours is yours. */
export function newPrefix(): string {
  return `/slotkeeper-bench-${randomBytes(6).toString('hex')}`
}

/** A client of etcd3, as a program without Slotkeeper has it. */
export function connected(): Etcd3 {
  return new Etcd3({ hosts: endpoints() })
}

/** What the members count of themselves, by name; a name may have labels. */
export async function counted(): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const endpoint of endpoints()) {
    const text = await (await fetch(new URL('/metrics', endpoint))).text()
    for (const [, name = '', value] of text.matchAll(/^([^#\s].*) (\S+)$/gm))
      counts.set(name, (counts.get(name) ?? 0) + Number(value))
  }
  return counts
}

/** How many calls of each of the driver's methods were begun. */
export async function callsBegun(): Promise<Record<(typeof METHODS)[number], number>> {
  const counts = await counted()
  const of = (method: string) =>
    [...counts].reduce(
      (sum, [name, count]) =>
        name.startsWith('grpc_server_started_total{') && name.includes(`grpc_method="${method}"`)
          ? sum + count
          : sum,
      0,
    )
  return Object.fromEntries(METHODS.map((method) => [method, of(method)])) as Awaited<
    ReturnType<typeof callsBegun>
  >
}

/** A driver with default options. */
export function openDriver(prefix: string): Driver {
  return etcdDriver({ endpoints: endpoints(), prefix })
}

/** A Manager with default options. */
export function openManager(prefix: string, options: Omit<ManagerOptions, 'driver'> = {}): Manager {
  return new Manager({ driver: openDriver(prefix), ...options })
}

/** A subject that works with a Manager with default options on a new store. */
export function withEtcd(work: (manager: Manager, context: Context) => Promise<Sample>): Measure {
  return async (context) => {
    await using manager = openManager(newPrefix())
    return await work(manager, context)
  }
}
