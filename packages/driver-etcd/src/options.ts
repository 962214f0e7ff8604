import { readFileSync } from 'node:fs'
import type { Secret } from '@slotkeeper/core'
import { SlotkeeperError, StoreError } from '@slotkeeper/core/driver'

/** What all keys begin with where nothing else is said. */
export const DEFAULT_PREFIX = '/slotkeeper'

/** Where certificates are; all of them PEM files, read when the driver is opened. */
export interface EtcdTlsOptions {
  /** The authorities that may sign the servers' certificates. Default: those that Node.js trusts. */
  readonly caFile?: string
  /** The client's certificate; together with `keyFile`. */
  readonly certFile?: string
  /** The private key of the client's certificate. */
  readonly keyFile?: string
  /** The name that the servers' certificates must carry, where it is not the name in the endpoint. */
  readonly serverName?: string
}

/** Where the cluster is, and how the driver uses it. */
export interface EtcdDriverOptions {
  /** Its members: `host:port`, `http://host:port` or `https://host:port`. Default: `localhost:2379`. */
  readonly endpoints?: readonly string[]
  /** What all keys of the store begin with, without a `/` at the end. Default: `/slotkeeper`. */
  readonly prefix?: string
  /** How long connecting may take when the driver is opened, all members together, in ms. Default: 5000. */
  readonly dialTimeoutMs?: number
  /** The user to log in as; together with `password`. */
  readonly username?: string
  /** The user's password. */
  readonly password?: Secret | string
  /** Certificates. An endpoint is reached by TLS when it begins with `https://`, or has no scheme and this is given. */
  readonly tls?: EtcdTlsOptions
  /** The server's `--max-txn-ops`: how many operations a transaction may have; 64 to 10,000. Default: 128, as it is etcd's. */
  readonly maxOperations?: number
}

/** One member. */
interface Endpoint {
  /** `host:port` */
  readonly host: string
  readonly isSecure: boolean
}

/** The options, checked and complete. */
export interface Settled {
  readonly endpoints: readonly Endpoint[]
  readonly prefix: string
  readonly dialTimeoutMs: number
  readonly login: { readonly username: string; readonly password: () => string } | undefined
  readonly tls: {
    readonly ca?: Buffer
    readonly cert?: Buffer
    readonly key?: Buffer
    readonly serverName?: string
  }
  readonly maxOperations: number
}

/** @throws SlotkeeperError `SLOTKEEPER_INVALID_ARGUMENT` for an option that cannot be meant */
export function checkOptions(options: EtcdDriverOptions): void {
  const {
    endpoints = ['localhost:2379'],
    prefix,
    dialTimeoutMs,
    username,
    password,
    tls,
    maxOperations,
  } = options
  if (!Array.isArray(endpoints) || endpoints.length === 0)
    throw wrong('endpoints', endpoints, 'it must name at least one member')
  for (const endpoint of endpoints) endpointOf(endpoint, false)
  if (
    prefix !== undefined &&
    (typeof prefix !== 'string' || !/^[^\0]*[^/\0]$/.test(prefix) || !prefix.isWellFormed())
  )
    throw wrong('prefix', prefix, 'it must be text that does not end with a /')
  mustBeWhole('dialTimeoutMs', dialTimeoutMs, 1, 86_400_000)
  mustBeWhole('maxOperations', maxOperations, 64, 10_000)
  if ((username === undefined) !== (password === undefined))
    throw wrong('username', username, 'it comes together with password')
  if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined))
    throw wrong('tls.certFile', tls?.certFile, 'it comes together with tls.keyFile')
}

/**
 * Completes options that were checked, and reads the files that they name.
 * @throws StoreError `SLOTKEEPER_STORE_TLS` for a file that cannot be read
 */
export function settleOptions(options: EtcdDriverOptions): Settled {
  const { username, password, tls } = options
  const {
    endpoints = ['localhost:2379'],
    prefix = DEFAULT_PREFIX,
    dialTimeoutMs = 5000,
    maxOperations = 128,
  } = options
  return {
    endpoints: endpoints.map((endpoint) => endpointOf(endpoint, tls !== undefined)),
    prefix,
    dialTimeoutMs,
    login:
      username === undefined || password === undefined
        ? undefined
        : { username, password: () => (typeof password === 'string' ? password : password.reveal()) },
    tls: {
      ...(tls?.caFile === undefined ? {} : { ca: pem(tls.caFile, 'caFile') }),
      ...(tls?.certFile === undefined ? {} : { cert: pem(tls.certFile, 'certFile') }),
      ...(tls?.keyFile === undefined ? {} : { key: pem(tls.keyFile, 'keyFile') }),
      ...(tls?.serverName === undefined ? {} : { serverName: tls.serverName }),
    },
    maxOperations,
  }
}

function endpointOf(text: unknown, isSecureOtherwise: boolean): Endpoint {
  const [, scheme, host] = (typeof text === 'string' && /^(?:(https?):\/\/)?([^/\s@]+)\/?$/i.exec(text)) || []
  if (host === undefined || !/:\d+$/.test(scheme === undefined ? host : `${host}:2379`))
    throw wrong('endpoints', text, 'each must be host:port, http://host:port or https://host:port')
  return {
    host: /:\d+$/.test(host) ? host : `${host}:2379`,
    isSecure: scheme === undefined ? isSecureOtherwise : scheme.toLowerCase() === 'https',
  }
}

function pem(path: string, option: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new StoreError(
      'SLOTKEEPER_STORE_TLS',
      `The file of tls.${option}, ${path}, cannot be read: ${(cause as Error).message}.`,
      cause,
    )
  }
}

function mustBeWhole(option: string, found: unknown, from: number, to: number): void {
  if (found === undefined) return
  if (Number.isInteger(found) && (found as number) >= from && (found as number) <= to) return
  throw wrong(option, found, `it must be a whole number from ${from} to ${to}`)
}

function wrong(option: string, found: unknown, expected: string): SlotkeeperError {
  // What was given may be an address with a password in it.
  const shown =
    typeof found === 'string' && found.includes('@') ? 'an address with an @' : JSON.stringify(found)
  return new SlotkeeperError(
    'SLOTKEEPER_INVALID_ARGUMENT',
    `etcdDriver ${option} is ${shown ?? 'absent'}: ${expected}.`,
  )
}
