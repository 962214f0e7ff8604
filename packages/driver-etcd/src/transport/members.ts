import { type ChannelOptions, Client, connectivityState, credentials, status } from '@grpc/grpc-js'
import type { Settled } from '../options.ts'
import { failure } from './send.ts'

/** The shortest pause before a member is connected to again. */
export const RECONNECT_MS = 100
/** A connection has so long to come about before it is begun anew. */
const CONNECT_MS = 5000

interface Member {
  readonly connect: () => Client
  client: Client
  /** When the client was made. */
  since: number
}

/** The members of a cluster, each with its connection, and which of them is asked at present. */
export class Members {
  readonly #members: readonly Member[]
  #at = 0
  #closed = false

  constructor({ endpoints, tls }: Pick<Settled, 'endpoints' | 'tls'>) {
    const channel: ChannelOptions = {
      // Only while something is asked: etcd throws out who pings otherwise.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5000,
      'grpc.initial_reconnect_backoff_ms': RECONNECT_MS,
      'grpc.min_reconnect_backoff_ms': RECONNECT_MS,
      'grpc.max_reconnect_backoff_ms': 1000,
      'grpc.max_receive_message_length': -1,
      // Channels of several drivers of a process must not be one: each ends its own.
      'grpc.use_local_subchannel_pool': 1,
      ...(tls.serverName === undefined
        ? {}
        : { 'grpc.ssl_target_name_override': tls.serverName, 'grpc.default_authority': tls.serverName }),
    }
    // Reading the authorities that Node.js trusts takes its time.
    const secure = endpoints.some(({ isSecure }) => isSecure)
      ? credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null)
      : undefined
    this.#members = endpoints.map(({ host, isSecure }) => {
      const connect = () =>
        new Client(host, (isSecure ? secure : undefined) ?? credentials.createInsecure(), channel)
      return { connect, client: connect(), since: performance.now() }
    })
  }

  get size(): number {
    return this.#members.length
  }

  /** The number of the member that is asked at present. */
  get at(): number {
    return this.#at
  }

  /** What calls to a member are made with. */
  client(at: number): Client {
    if (this.#closed) throw failure(status.CANCELLED, 'the driver is closed')
    return (this.#members[at] as Member).client
  }

  /**
   * From now on the next member is asked. Where this one is not connected it is connected to anew, once it has had its time: gRPC waits for
   * ever for a server that accepts a connection and then says nothing, and meanwhile may still tell the failure of the attempt before.
   */
  leave(at: number): void {
    const member = this.#members[at] as Member
    const { CONNECTING, TRANSIENT_FAILURE } = connectivityState
    const state = member.client.getChannel().getConnectivityState(false)
    const now = performance.now()
    if ((state === CONNECTING || state === TRANSIENT_FAILURE) && now - member.since > CONNECT_MS) {
      member.client.close()
      member.client = member.connect()
      member.client.getChannel().getConnectivityState(true)
      member.since = now
    }
    if (this.#at === at) this.#at = (at + 1) % this.size
  }

  close(): void {
    this.#closed = true
    for (const { client } of this.#members) client.close()
  }
}
