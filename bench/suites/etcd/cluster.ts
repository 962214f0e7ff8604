import { randomBytes } from 'node:crypto'
import { Manager, type ManagerOptions } from '@slotkeeper/core'
import { etcdDriver } from '@slotkeeper/driver-etcd'
import { Etcd3 } from 'etcd3'
import type { Context, Measure, Sample } from '../../harness/case.ts'

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

/** A Manager with default options. */
export function openManager(prefix: string, options: Omit<ManagerOptions, 'driver'> = {}): Manager {
  return new Manager({ driver: etcdDriver({ endpoints: endpoints(), prefix }), ...options })
}

/** A subject that works with a Manager with default options on a new store. */
export function withEtcd(work: (manager: Manager, context: Context) => Promise<Sample>): Measure {
  return async (context) => {
    await using manager = openManager(newPrefix())
    return await work(manager, context)
  }
}
