import type { Context, Sample } from '../../harness/case.ts'
import { type Pace, paceOf } from '../../harness/pace.ts'
import { slow } from '../slow.ts'
import { connected, newDatabase, sql } from './database.ts'

const TABLE = 'CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run text NOT NULL)'
const ROWS = 256

/** One-row inserts, each a commit of its own, one after the other on each of the connections: as little as a durable step can be. */
export async function bareInserts(context: Context, connections: number): Promise<Sample> {
  const url = await newDatabase()
  await sql(url, TABLE)
  const clients = await Promise.all(Array.from({ length: connections }, () => connected(url)))
  const loop = async (pace: Pace, at: number) => {
    const query = { name: 'insert', text: 'INSERT INTO bare (run) VALUES ($1)', values: ['bench/run'] }
    while (pace.goesOn()) await clients[at]?.query(query)
  }
  const sample = await paceOf(context, loop, { ...slow, loops: connections })
  await Promise.all(clients.map((client) => client.end()))
  return sample
}

/** Rows a second where 256 of them share a commit, on one connection. */
export async function unnestInserts(context: Context): Promise<Sample> {
  const url = await newDatabase()
  await sql(url, TABLE)
  const client = await connected(url)
  const runs = Array.from({ length: ROWS }, (_, at) => `bench/run-${at}`)
  const query = { name: 'insert', text: 'INSERT INTO bare (run) SELECT unnest($1::text[])', values: [runs] }
  const loop = async (pace: Pace) => {
    while (pace.goesOn()) await client.query(query)
  }
  const { rate, cpuRate } = await paceOf(context, loop, { ...slow, every: 4 })
  await client.end()
  return { rate: (rate as number) * ROWS, cpuRate: (cpuRate as number) * ROWS }
}
