import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import type {
  ILeaseGrantResponse,
  IStatusResponse,
  ITxnRequest,
  ITxnResponse,
  IWatchRequest,
  IWatchResponse,
} from 'etcd3'
import { isLoginOver, isRefusal, mayHelpElsewhere } from '../failure.ts'
import type { Settled } from '../options.ts'
import { impatient } from './impatient.ts'
import { type Method, type Protocol, protocol } from './protocol.ts'
import { failure, type Question, send } from './send.ts'

/** No call waits for longer than this for its answer, no watch for its first one, and no connection for the server's first word. */
const REQUEST_MS = 5000
/** Of several members none is waited for longer than this: what is harmless is asked of the next one, and what may be done already fails. */
const MEMBER_MS = 2000
/** Who gives up a call after so long goes on with another member: a caller may have less time than a member is waited for. */
const SLOW_MS = 500

/** The shortest pause before a member is connected to again. */
const RECONNECT_MS = 100

/** How a call is made. */
export interface CallHow {
  readonly signal?: AbortSignal | undefined
  /** It changes nothing, or changes nothing more when it is made twice: then other members are asked as well. Default: false. */
  readonly repeatable?: boolean
  /** Default: 5000. */
  readonly timeoutMs?: number
}

/**
 * The way to an etcd cluster: calls to one member at a time, and to the next one when that fails. Every call has a deadline, and nothing that
 * writes is sent twice, unless the first was certainly not carried out. Failures are thrown as gRPC gives them.
 */
export class EtcdTransport {
  readonly #protocol: Protocol = protocol()
  /** None of them once it is closed. */
  readonly #members: Client[]
  readonly #login: Settled['login']
  #at = 0
  #token: Promise<string> | undefined
  /** What ends the calls that are under way. */
  readonly #ends = new Set<() => void>()

  constructor({ endpoints, login, tls }: Pick<Settled, 'endpoints' | 'login' | 'tls'>) {
    this.#login = login
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
      ? impatient(credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null), REQUEST_MS)
      : undefined
    const open = impatient(credentials.createInsecure(), REQUEST_MS)
    this.#members = endpoints.map(
      ({ host, isSecure }) => new Client(host, (isSecure ? secure : undefined) ?? open, channel),
    )
  }

  /** Carries a transaction out. */
  txn(request: ITxnRequest, how: CallHow): Promise<ITxnResponse> {
    return this.#call(this.#protocol.txn, request, how)
  }

  /** A new lease; its time to live is in seconds. */
  leaseGrant(ttlSeconds: number, how: CallHow): Promise<ILeaseGrantResponse> {
    return this.#call(this.#protocol.leaseGrant, { TTL: ttlSeconds }, how)
  }

  /** Ends a lease, and with it the keys on it. */
  async leaseRevoke(id: string, how: CallHow): Promise<void> {
    await this.#call(this.#protocol.leaseRevoke, { ID: id }, { ...how, repeatable: true })
  }

  /** Renews a lease; answers the seconds that it lives from now on, 0 when there is none. */
  async leaseKeepAlive(id: string, how: CallHow): Promise<number> {
    const response = await this.#call(this.#protocol.leaseKeepAlive, { ID: id }, { ...how, repeatable: true })
    return Number(response.TTL)
  }

  /** What one member says of itself. */
  status(how: CallHow): Promise<IStatusResponse> {
    return this.#call(this.#protocol.status, {}, { ...how, repeatable: true })
  }

  /** A stream for watches. The next one goes to another member if this one fails or says nothing at first. */
  async watch(): Promise<ClientDuplexStream<IWatchRequest, IWatchResponse>> {
    const { path, requestSerialize, responseDeserialize } = this.#protocol.watch
    const at = this.#at
    let metadata: Metadata
    try {
      metadata = await this.#metadata(at, performance.now() + REQUEST_MS)
    } catch (error) {
      this.#failed(at, error as ServiceError)
      throw error
    }
    const stream = this.#client(at).makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadata,
      {},
    )
    // The stream has no deadline, its beginning has one.
    const timer = setTimeout(() => {
      this.#leave(at)
      stream.cancel()
    }, REQUEST_MS).unref()
    stream.once('data', () => clearTimeout(timer))
    stream.on('error', (error: ServiceError) => {
      clearTimeout(timer)
      this.#failed(at, error)
    })
    return stream
  }

  /** Ends all calls and connections. Whether a call that was under way is carried out, nobody knows. */
  close(): void {
    for (const end of this.#ends) end()
    for (const member of this.#members.splice(0)) member.close()
  }

  async #call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { signal, repeatable = false, timeoutMs = REQUEST_MS }: CallHow,
  ): Promise<Response> {
    const until = performance.now() + timeoutMs
    let loggedInAgain = false
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted()
      const at = this.#at
      const since = performance.now()
      const deadline = this.#members.length === 1 ? until : Math.min(until, since + MEMBER_MS)
      try {
        const metadata = await this.#metadata(at, deadline, signal)
        return await this.#send(at, { method, request, metadata, deadline, signal })
      } catch (thrown) {
        if (signal?.aborted === true) {
          // Whoever asked has waited long enough; the next call shall not wait for the same member.
          if (performance.now() - since >= SLOW_MS) this.#leave(at)
          throw signal.reason
        }
        const error = thrown as ServiceError
        if (isLoginOver(error) && this.#login !== undefined && !loggedInAgain) {
          // The server looks at the token before anything else, so nothing was done.
          this.#token = undefined
          loggedInAgain = true
          continue
        }
        this.#failed(at, error)
        const isCut = error.details?.includes('ECONNRESET')
        const again = (isCut || tries < 2 * this.#members.length) && (repeatable || isRefusal(error))
        if (!(again && mayHelpElsewhere(error) && performance.now() < until)) throw error
        // A server that does not speak TLS, or one that is just going away: which of them, another round tells.
        if (isCut && this.#at === 0) await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS))
      }
    }
  }

  async #metadata(at: number, deadline: number, signal?: AbortSignal): Promise<Metadata> {
    const metadata = new Metadata()
    // A member that has lost its leader says so at once.
    metadata.set('hasleader', 'true')
    if (this.#login === undefined) return metadata
    if (this.#token === undefined) {
      const token = this.#authenticate(at, deadline, this.#login)
      this.#token = token
      token.catch(() => {
        if (this.#token === token) this.#token = undefined
      })
    }
    // Others wait for the same login, so it goes on without who has waited long enough.
    metadata.set('token', await orAborted(this.#token, signal))
    return metadata
  }

  async #authenticate(
    at: number,
    deadline: number,
    { username, password }: NonNullable<Settled['login']>,
  ): Promise<string> {
    const { token } = await this.#send(at, {
      method: this.#protocol.authenticate,
      request: { name: username, password: password() },
      metadata: new Metadata(),
      deadline,
      signal: undefined,
    })
    return token
  }

  /** The next call goes to the next member, where that may help. */
  #failed(at: number, error: ServiceError): void {
    if (isLoginOver(error)) this.#token = undefined
    if (mayHelpElsewhere(error)) this.#leave(at)
  }

  #send<Request, Response>(at: number, question: Question<Request, Response>): Promise<Response> {
    return send(this.#client(at), question, this.#ends)
  }

  #client(at: number): Client {
    const member = this.#members[at]
    if (member === undefined) throw failure(status.CANCELLED, 'the driver is closed')
    return member
  }

  #leave(at: number): void {
    if (this.#at === at) this.#at = (at + 1) % this.#members.length
  }
}

/** What comes of it, unless the signal is aborted before. */
function orAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    const settle = () => signal.removeEventListener('abort', abort)
    result.then(resolve, reject).finally(settle)
  })
}
