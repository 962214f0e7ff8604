import type { Context, Sample } from '../../harness/case.ts'
import { type Pace, paceOf } from '../../harness/pace.ts'
import { slow } from '../slow.ts'
import { connected, newPrefix } from './cluster.ts'

/** As many operations as a transaction may have. */
const PUTS = 128

/** A key compared and put in one transaction, one after the other: as little as a durable step can be. */
export async function bareTxns(context: Context): Promise<Sample> {
  const client = connected()
  const key = Buffer.from(`${newPrefix()}/bare`)
  let revision = '0'
  const loop = async (pace: Pace) => {
    while (pace.goesOn()) {
      const { header, succeeded } = await client.kv.txn({
        compare: [{ key, target: 'Mod', result: 'Equal', mod_revision: revision }],
        success: [{ request_put: { key, value: Buffer.from('bench/run') } }],
      })
      if (!succeeded) throw new Error('Somebody else wrote the key.')
      revision = header.revision
    }
  }
  const sample = await paceOf(context, loop, slow)
  client.close()
  return sample
}

/** Puts a second where 128 of them share a transaction. */
export async function sharedPuts(context: Context): Promise<Sample> {
  const client = connected()
  const prefix = newPrefix()
  const success = Array.from({ length: PUTS }, (_, at) => ({
    request_put: { key: Buffer.from(`${prefix}/${at}`), value: Buffer.from('bench/run') },
  }))
  const loop = async (pace: Pace) => {
    while (pace.goesOn()) await client.kv.txn({ success })
  }
  const { rate, cpuRate } = await paceOf(context, loop, { ...slow, every: 4 })
  client.close()
  return { rate: (rate as number) * PUTS, cpuRate: (cpuRate as number) * PUTS }
}

/** Locks of etcd3, uncontended: taken and given back. */
export async function locks(context: Context): Promise<Sample> {
  const client = connected()
  const prefix = newPrefix()
  let at = 0
  const loop = async (pace: Pace) => {
    while (pace.goesOn()) {
      const lock = client.lock(`${prefix}/${at++ % 1000}`).ttl(30)
      await lock.acquire()
      await lock.release()
    }
  }
  const sample = await paceOf(context, loop, { ...slow, every: 4 })
  client.close()
  return sample
}
