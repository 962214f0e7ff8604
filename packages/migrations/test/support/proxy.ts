import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a server on which everything can be seen and cut. */
export interface Proxy extends AsyncDisposable {
  /** The server's address through the proxy. */
  readonly url: string
  /** The texts of all queries so far. */
  messages(): readonly string[]
  /** From now on connections are refused, and those there are end. */
  cut(): void
  /**
   * From now on nothing comes through, in neither direction, and nobody is told: no connection ends, and new ones come about. With
   * `existing`, new connections are not affected, as with a firewall that forgot the old ones.
   */
  swallow(which?: 'all' | 'existing'): void
  /** Connections are possible again, and what was swallowed is sent again. */
  mend(): void
}

const FIRST_BYTES = 4
const QUERY = 'Q'.charCodeAt(0)

/** `onQuery` is called before a query goes to the server, with its number from 1; false holds it back for ever. */
export async function throughProxy(
  target: string,
  onQuery: (number: number, text: string) => boolean = () => true,
): Promise<Proxy> {
  const { hostname, port } = new URL(target)
  const messages: string[] = []
  const sockets = new Set<Socket>()
  let isCut = false
  let isSwallowing = false
  const server = createServer((client) => {
    if (isCut) return client.destroy()
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      if (isSwallowing) setImmediate(() => socket.pause())
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    upstream.pipe(client)
    let pending: Buffer<ArrayBufferLike> = Buffer.alloc(0)
    let hasStarted = false
    client.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      for (;;) {
        // The first message has no letter before its length.
        const letter = hasStarted ? 1 : 0
        if (pending.length < letter + FIRST_BYTES) return
        const end = letter + pending.readUInt32BE(letter)
        if (pending.length < end) return
        const message = pending.subarray(0, end)
        pending = pending.subarray(end)
        if (hasStarted && message[0] === QUERY) {
          const text = message.subarray(5, -1).toString()
          messages.push(text)
          if (!onQuery(messages.length, text)) return
        }
        hasStarted = true
        upstream.write(message)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    messages: () => messages,
    cut,
    swallow: (which = 'all') => {
      isSwallowing = which === 'all'
      for (const socket of sockets) socket.pause()
    },
    mend: () => {
      isCut = false
      isSwallowing = false
      for (const socket of sockets) socket.resume()
    },
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
