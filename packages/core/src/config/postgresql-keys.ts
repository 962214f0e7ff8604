import type { SettingKeyTable } from './setting-key.ts'
import {
  choiceKind,
  durationKind,
  hostKind,
  integerKind,
  leaseTtlKind,
  secretKind,
  textKind,
} from './value-kinds.ts'

/** The keys of the PostgreSQL driver. */
export const postgresqlKeys = {
  'postgresql-host': {
    kind: hostKind,
    default: 'localhost',
    meaning: 'The server: a name, an address, or the absolute path of its socket directory.',
  },
  'postgresql-port': {
    kind: integerKind({ from: 1, to: 65535 }),
    default: '5432',
    meaning: 'The port of the server.',
  },
  'postgresql-database': { kind: textKind, default: 'pac_concurrency', meaning: 'The name of the database.' },
  'postgresql-username': { kind: textKind, default: 'pac_user', meaning: 'The user to log in as.' },
  'postgresql-password': {
    kind: secretKind,
    meaning:
      'The password, for everybody to read who may read the ConfigMap; `postgresql-password-file` is better.',
  },
  'postgresql-password-file': {
    kind: textKind,
    meaning:
      'The file that holds the password, such as a mounted Secret; it goes before `postgresql-password`.',
  },
  'postgresql-ssl-mode': {
    kind: choiceKind(['disable', 'require', 'verify-ca', 'verify-full']),
    default: 'disable',
    meaning:
      '`require` encrypts and verifies nothing; `verify-ca` also checks who signed the server’s certificate; `verify-full` also its name.',
  },
  'postgresql-ssl-root-cert': {
    kind: textKind,
    meaning:
      'The file of the authorities that may sign the server’s certificate (PEM); absent, those of Node.js.',
  },
  'postgresql-ssl-cert': {
    kind: textKind,
    meaning: 'The file of the client certificate (PEM); together with `postgresql-ssl-key`.',
  },
  'postgresql-ssl-key': {
    kind: textKind,
    meaning:
      'The file of the private key of the client certificate (PEM); together with `postgresql-ssl-cert`.',
  },
  'postgresql-max-connections': {
    kind: integerKind({ from: 1, to: 1000 }),
    default: '10',
    meaning:
      'How many connections one process opens at most, the ones for heartbeats and for listening aside.',
  },
  'postgresql-schema': {
    kind: textKind,
    default: 'slotkeeper',
    meaning: 'The schema of the store. Several stores of one database know nothing of each other.',
  },
  'postgresql-connection-timeout': {
    kind: durationKind({ from: '1ms', to: '24h' }),
    default: '30s',
    meaning: 'How long a connection may take to come about.',
  },
  'postgresql-lease-ttl': {
    kind: leaseTtlKind,
    default: '1h',
    meaning: 'How long a durable slot lives with nobody keeping it.',
  },
} as const satisfies SettingKeyTable
