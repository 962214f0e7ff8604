import { conformance } from '@slotkeeper/testing/conformance'
import { test, vi } from 'vitest'
import { etcdDriver } from '../src/index.ts'
import { endpoints, newPrefix } from './support/servers.ts'

// Races take hundreds of commits, which a busy machine makes slowly.
vi.setConfig({ testTimeout: 60_000 })

const prefix = newPrefix()

conformance({ test, open: (store) => etcdDriver({ endpoints: endpoints(), prefix: `${prefix}/${store}` }) })
