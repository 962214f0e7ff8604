import type { SettingKeyTable } from './setting-key.ts'
import { leaseTtlKind, textKind } from './value-kinds.ts'

/** The keys of the drivers that need no server: memory and SQLite. */
export const localKeys = {
  'memory-lease-ttl': {
    kind: leaseTtlKind,
    default: '30m',
    meaning: 'How long a durable slot lives with nobody keeping it.',
  },
  'sqlite-path': {
    kind: textKind,
    meaning:
      'The database file; every process that names the same one shares its slots. Needed by the SQLite driver.',
  },
  'sqlite-lease-ttl': {
    kind: leaseTtlKind,
    default: '30m',
    meaning: 'How long a durable slot lives with nobody keeping it.',
  },
} as const satisfies SettingKeyTable
