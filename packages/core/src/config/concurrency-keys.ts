import type { SettingKeyTable } from './setting-key.ts'
import { booleanKind, choiceKind, durationKind } from './value-kinds.ts'

/** The keys of every driver. */
export const concurrencyKeys = {
  'concurrency-enabled': {
    kind: booleanKind,
    default: 'false',
    meaning: 'Whether slots are kept at all; without them runs go on by annotations alone.',
  },
  'concurrency-driver': {
    kind: choiceKind(['etcd', 'postgresql', 'memory', 'sqlite']),
    meaning: 'Where slots are kept; absent, it is `etcd` if `etcd-enabled` is true, else `memory`.',
  },
  'concurrency-holder-ttl': {
    kind: durationKind({ from: '1s', to: '24h' }),
    default: '30s',
    meaning: 'How soon the slots of a dead worker come back.',
  },
  'concurrency-claim-timeout': {
    kind: durationKind({ from: '1s', to: '24h' }),
    default: '60s',
    meaning: 'How long a slot waits for the controller that it is reserved for, before the next run gets it.',
  },
  'concurrency-call-timeout': {
    kind: durationKind({ from: '1ms', to: '24h' }),
    default: '10s',
    meaning: 'How long one call waits for the store to answer.',
  },
  'concurrency-log-level': {
    kind: choiceKind(['debug', 'info', 'warn', 'error']),
    default: 'info',
    meaning: 'The least severe events that reach the logger.',
  },
} as const satisfies SettingKeyTable
