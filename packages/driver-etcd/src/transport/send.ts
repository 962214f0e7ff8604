import { type CallOptions, type Client, type Metadata, status } from '@grpc/grpc-js'
import type { Method } from './protocol.ts'

/** One question to one member. */
export interface Question<Request, Response> {
  readonly method: Method<Request, Response>
  readonly request: Request
  readonly metadata: Metadata
  /** In ms of the monotonic clock. */
  readonly deadline: number
  readonly signal: AbortSignal | undefined
}

/** Asks, and answers what was answered. While it is under way, what ends it is in `ends`. */
export function send<Request, Response>(
  client: Client,
  { method, request, metadata, deadline, signal }: Question<Request, Response>,
  ends: Set<() => void>,
): Promise<Response> {
  const { path, requestSerialize, responseDeserialize } = method
  signal?.throwIfAborted()
  // gRPC reckons by the wall clock, which may be set at any time.
  const options: CallOptions = { deadline: Date.now() + deadline - performance.now() }
  return new Promise((resolve, reject) => {
    const end = () => sent.cancel()
    const settle = (act: () => void) => {
      signal?.removeEventListener('abort', end)
      ends.delete(end)
      act()
    }
    let sent: { cancel(): void }
    if (method.responseStream) {
      // One question and one answer on a stream, which ends with it.
      const stream = client.makeBidiStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        metadata,
        options,
      )
      sent = stream
      stream.once('data', (response: Response) => {
        settle(() => resolve(response))
        stream.end()
        stream.cancel()
      })
      stream.on('error', (error) => settle(() => reject(error)))
      stream.on('end', () => settle(() => reject(failure(status.UNAVAILABLE, 'there was no answer'))))
      stream.write(request)
    } else
      sent = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        options,
        (error, response) => settle(() => (error === null ? resolve(response as Response) : reject(error))),
      )
    signal?.addEventListener('abort', end, { once: true })
    ends.add(end)
  })
}

/** A failure as gRPC gives them. */
export function failure(code: status, details: string): Error {
  return Object.assign(new Error(details), { code, details })
}
