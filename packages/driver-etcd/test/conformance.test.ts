import { conformance } from '@slotkeeper/testing/conformance'
import { test } from 'vitest'
import { etcdDriver } from '../src/index.ts'
import { endpoints, newPrefix } from './support/servers.ts'

const prefix = newPrefix()

conformance({ test, open: (store) => etcdDriver({ endpoints: endpoints(), prefix: `${prefix}/${store}` }) })
