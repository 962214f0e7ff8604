import { status } from '@grpc/grpc-js'
import { InternalError, isSlotkeeperError, type SlotkeeperError, StoreError } from '@slotkeeper/core/driver'

/** What etcd or the way to it says of a failure. */
interface Told {
  readonly code: number | undefined
  readonly details: string
}

type Meaning = readonly [code: ConstructorParameters<typeof StoreError>[0], remedy: string]

/** The server does not know this login any more: it was restarted, or its time is over. */
export function isLoginOver(error: unknown): boolean {
  const { code, details } = toldBy(error)
  return code === status.UNAUTHENTICATED || /invalid auth token|revision of auth store is old/.test(details)
}

/** The server takes no request of this size. */
export function isTooLarge(error: unknown): boolean {
  return /request is too large|message larger than max/.test(toldBy(error).details)
}

/** The call was certainly not carried out, nor will it be. */
export function isRefusal(error: unknown): boolean {
  const { code, details } = toldBy(error)
  if (isTooLarge(error)) return true
  if (
    // Without a connection it has not left.
    /no connection established|waiting for lb pick|channel closed before|etcdserver: (no leader|not capable)/i.test(
      details,
    )
  )
    return true
  return (
    code === status.INVALID_ARGUMENT || code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED
  )
}

/** Another member may answer. */
export function mayHelpElsewhere(error: unknown): boolean {
  const { code } = toldBy(error)
  return code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || code === status.INTERNAL
}

/** The server has no room; what is there can be read, and leases are renewed. */
export function isFull(error: unknown): boolean {
  return /database space exceeded/.test(toldBy(error).details)
}

/** The lease is not there. */
export function isLeaseGone(error: unknown): boolean {
  const { code, details } = toldBy(error)
  return code === status.NOT_FOUND && /lease not found/.test(details)
}

/** What was asked for is older than what the server still has. */
function isCompacted(error: unknown): boolean {
  return /has been compacted/.test(toldBy(error).details)
}

/**
 * A failure with the code that says which: what was being done, what the server said, what to do. Errors of Slotkeeper stay as they are.
 * It holds no password, since none of its sources has one.
 */
export function toFailure(error: unknown, doing: string): SlotkeeperError {
  if (isSlotkeeperError(error)) return error
  const told = toldBy(error)
  if (told.code === undefined)
    return new InternalError(`${doing}: ${error instanceof Error ? error.message : String(error)}`, error)
  const said = `${doing}: ${wordsOf(told)}.`
  const meaning = meaningOf(told)
  return meaning === undefined
    ? new InternalError(said, error)
    : new StoreError(meaning[0], `${said} ${meaning[1]}`, error)
}

/** What was said, without the stop at its end. The client names an error and a note also where it has none, and a server may say nothing. */
function wordsOf({ code, details }: Told): string {
  const words = details
    .replaceAll(/ *(?:Last error|Resolution note): *(?:null|undefined)?(?:\.(?= |$)|$)/g, '')
    .trim()
    .replace(/\.$/, '')
  return words === '' ? `gRPC status ${status[code ?? status.UNKNOWN] ?? code}` : words
}

function meaningOf({ code, details }: Told): Meaning | undefined {
  if (isAboutTls(details))
    return [
      'SLOTKEEPER_STORE_TLS',
      'Compare the scheme of the endpoints, https:// or http://, and tls with what the server has.',
    ]
  if (isFull({ code, details }))
    return [
      'SLOTKEEPER_STORE_FULL',
      'Compact and defragment etcd, or raise --quota-backend-bytes; then disarm the alarm NOSPACE.',
    ]
  if (/too many operations in txn/.test(details))
    return [
      'SLOTKEEPER_STORE_UNSUITABLE',
      'Set the driver’s maxOperations to the server’s --max-txn-ops, or raise that.',
    ]
  if (/authentication failed|user name is empty|invalid auth token/.test(details))
    return ['SLOTKEEPER_STORE_PERMISSION', 'Check username and password.']
  if (/authentication is not enabled/.test(details))
    return [
      'SLOTKEEPER_STORE_PERMISSION',
      'Leave username and password out, or enable authentication in etcd.',
    ]
  if (/permission denied/.test(details))
    return ['SLOTKEEPER_STORE_PERMISSION', 'Grant the user’s role readwrite on all keys below the prefix.']
  if (/too many requests/.test(details))
    return ['SLOTKEEPER_STORE_BUSY', 'The server has more to do than it can.']
  if (isCompacted({ code, details }))
    return ['SLOTKEEPER_STORE_UNAVAILABLE', 'It was read while etcd forgot its past; ask again.']
  if (/: corrupt/.test(details)) return ['SLOTKEEPER_STORE_CORRUPT', 'See the alarms of etcd.']
  switch (code) {
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
    case status.CANCELLED:
    case status.UNKNOWN:
    case status.INTERNAL:
    case status.ABORTED:
    case status.RESOURCE_EXHAUSTED:
      return [
        'SLOTKEEPER_STORE_UNAVAILABLE',
        'Check the endpoints and their scheme, http:// or https://, and that the cluster has a leader.',
      ]
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return ['SLOTKEEPER_STORE_PERMISSION', 'Check the user and its role.']
    case status.UNIMPLEMENTED:
      return ['SLOTKEEPER_STORE_UNSUITABLE', 'etcd 3.4 or newer is needed.']
    case status.DATA_LOSS:
      return ['SLOTKEEPER_STORE_CORRUPT', 'Restore a backup.']
    default:
      return undefined
  }
}

/** What TLS says of a connection that did not come about; whatever ends one later leaves open what was carried out. Names of hosts may say anything. */
function isAboutTls(details: string): boolean {
  return /^No connection established\. Last error: ((?!Resolution note).)*(certificate|SSL routines|secure TLS connection)/s.test(
    details,
  )
}

function toldBy(error: unknown): Told {
  const { code, details } = (error ?? {}) as { code?: unknown; details?: unknown }
  return {
    code: typeof code === 'number' ? code : undefined,
    details: typeof details === 'string' ? details : '',
  }
}
