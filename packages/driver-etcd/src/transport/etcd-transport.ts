import { type ClientDuplexStream, Metadata, type ServiceError } from '@grpc/grpc-js'
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
import { Members, RECONNECT_MS } from './members.ts'
import { type Method, type Protocol, protocol } from './protocol.ts'
import { send } from './send.ts'

/** No call waits for longer than this for its answer, and no watch for its first one. */
const REQUEST_MS = 5000
/** Of several members none is waited for longer than this: what is harmless is asked of the next one, and what may be done already fails. */
const MEMBER_MS = 2000
/** Who gives up a call after so long goes on with another member: a caller may have less time than a member is waited for. */
const SLOW_MS = 500

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
  readonly #members: Members
  readonly #login: Settled['login']
  #token: Promise<string> | undefined
  /** What ends the calls that are under way. */
  readonly #ends = new Set<() => void>()

  constructor(settled: Pick<Settled, 'endpoints' | 'login' | 'tls'>) {
    this.#login = settled.login
    this.#members = new Members(settled)
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
    const { at } = this.#members
    let stream: ClientDuplexStream<IWatchRequest, IWatchResponse> | undefined
    // The stream has no deadline, its beginning has one.
    const timer = setTimeout(() => {
      this.#members.leave(at)
      stream?.cancel()
    }, REQUEST_MS).unref()
    const metadata = await this.#metadata(at, performance.now() + REQUEST_MS)
    stream = this.#members
      .client(at)
      .makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, {})
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
    this.#members.close()
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
      const { at } = this.#members
      const since = performance.now()
      const deadline = this.#members.size === 1 ? until : Math.min(until, since + MEMBER_MS)
      try {
        const metadata = await this.#metadata(at, deadline, signal)
        return await send(
          this.#members.client(at),
          { method, request, metadata, deadline, signal },
          this.#ends,
        )
      } catch (thrown) {
        if (signal?.aborted === true) {
          // Whoever asked has waited long enough; the next call shall not wait for the same member.
          if (performance.now() - since >= SLOW_MS) this.#members.leave(at)
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
        const again = (isCut || tries < 2 * this.#members.size) && (repeatable || isRefusal(error))
        if (!(again && mayHelpElsewhere(error) && performance.now() < until)) throw error
        // A server that does not speak TLS, or one that is just going away: which of them, another round tells.
        if (isCut && this.#members.at === 0) await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS))
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
    const { token } = await send(
      this.#members.client(at),
      {
        method: this.#protocol.authenticate,
        request: { name: username, password: password() },
        metadata: new Metadata(),
        deadline,
        signal: undefined,
      },
      this.#ends,
    )
    return token
  }

  /** The next call goes to the next member, where that may help. */
  #failed(at: number, error: ServiceError): void {
    if (isLoginOver(error)) this.#token = undefined
    if (mayHelpElsewhere(error)) this.#members.leave(at)
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
