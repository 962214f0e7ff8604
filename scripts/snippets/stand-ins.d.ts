// What the code in the documentation takes from its reader's program. A name that a block declares itself is its own.

import type { Logger, Manager as M, QueueManager, Repository, RunKey, Slot } from '@slotkeeper/core'
import type { Driver } from '@slotkeeper/core/driver'
import type { Etcd3 } from 'etcd3'
import type { ClientBase } from 'pg'

declare global {
  function build(options: AbortSignal | { signal: AbortSignal; fence: bigint }): Promise<void>
  function start(run: RunKey): Promise<void>
  function deploy(manager: M): Promise<{ readonly aborted: boolean }>
  function redisDriver(options: { readonly prefix: string }): Driver
  const assert: { equal(actual: unknown, expected: unknown): void }
  const test: (name: string, run: () => Promise<void>) => void
  const manager: M
  const queue: QueueManager
  const repo: Repository
  const run: RunKey
  const runs: readonly RunKey[]
  const finished: RunKey
  const logger: Logger
  const connectionString: string
  const client: ClientBase
  const etcd: Etcd3
  const slot: Slot
  const version: string
  const name: string
  const signal: AbortSignal
  const configMap: { readonly data: Readonly<Record<string, string>> }
}
