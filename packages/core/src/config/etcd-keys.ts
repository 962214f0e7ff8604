import type { SettingKeyTable } from './setting-key.ts'
import {
  booleanKind,
  choiceKind,
  durationKind,
  endpointsKind,
  leaseTtlKind,
  secretKind,
  textKind,
} from './value-kinds.ts'

/** The keys of the etcd driver. */
export const etcdKeys = {
  'etcd-enabled': {
    kind: booleanKind,
    default: 'false',
    meaning: 'The older way to choose etcd: it counts only where `concurrency-driver` is absent.',
    environment: 'PAC_ETCD_ENABLED',
  },
  'etcd-mode': {
    kind: choiceKind(['etcd', 'mock', 'memory']),
    meaning:
      '`etcd`, which is meant when it is absent; `mock` or `memory` use the memory driver in its place.',
    environment: 'PAC_ETCD_MODE',
  },
  'etcd-endpoints': {
    kind: endpointsKind,
    default: 'localhost:2379',
    meaning: 'The members of the cluster, separated by commas.',
    environment: 'ETCD_ENDPOINTS',
  },
  'etcd-dial-timeout': {
    kind: durationKind({ from: '1ms', to: '24h' }),
    default: '5s',
    meaning: 'How long a connection may take to come about.',
    environment: 'ETCD_DIAL_TIMEOUT',
  },
  'etcd-username': {
    kind: textKind,
    meaning: 'The user to log in as; together with `etcd-password`.',
    environment: 'ETCD_USERNAME',
  },
  'etcd-password': {
    kind: secretKind,
    meaning: 'The password of the user; together with `etcd-username`.',
    environment: 'ETCD_PASSWORD',
  },
  'etcd-cert-file': {
    kind: textKind,
    meaning: 'The file of the client certificate (PEM); together with `etcd-key-file`.',
    environment: 'ETCD_CERT_FILE',
  },
  'etcd-key-file': {
    kind: textKind,
    meaning: 'The file of the private key of the client certificate (PEM); together with `etcd-cert-file`.',
    environment: 'ETCD_KEY_FILE',
  },
  'etcd-ca-file': {
    kind: textKind,
    meaning: 'The file of the authorities that may sign the servers’ certificates (PEM).',
    environment: 'ETCD_CA_FILE',
  },
  'etcd-server-name': {
    kind: textKind,
    meaning: 'The name that the servers’ certificates must carry, where it is not the name in the endpoint.',
    environment: 'ETCD_SERVER_NAME',
  },
  'etcd-lease-ttl': {
    kind: leaseTtlKind,
    default: '1h',
    meaning: 'How long a durable slot lives with nobody keeping it.',
  },
} as const satisfies SettingKeyTable
