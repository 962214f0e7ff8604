import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A message of PostgreSQL's protocol on its way to the server: its letter and its text. */
export interface Message {
  readonly letter: string
  readonly text: string
}

/** A way to a server on which everything can be counted and cut. Ends with the test. */
export interface Proxy {
  /** The server's address through the proxy. */
  readonly url: string
  /** Round trips so far: how often the server was asked to answer for all that was sent. */
  roundTrips(): number
  /** Ends all connections. */
  cut(): void
  /** All connections go on without a word, either way, for ever; later ones pass. */
  silence(): void
  /** Ends all connections; later ones lead to another server, as an address does that is given to a standby. */
  lead(target: string): void
}

/** What becomes of a message: it goes on; it goes on and its answer never comes, for the connection ends. */
export type Fate = 'pass' | 'cut after'

const SYNC = 'S'

/** `fate` is asked about every message but the first of a connection. */
export async function throughProxy(
  target: string,
  fate: (message: Message) => Fate = () => 'pass',
): Promise<Proxy> {
  let { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let roundTrips = 0
  /** Connections before so many of them say nothing. */
  let silentUpTo = 0
  let connections = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const mine = connections++
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
      })
    }
    let isDeaf = false
    upstream.on('data', (chunk) => {
      if (!isDeaf && mine >= silentUpTo) client.write(chunk)
    })
    upstream.on('close', () => client.destroy())
    client.on('close', () => {
      if (!isDeaf) upstream.destroy()
    })
    let pending: Buffer<ArrayBufferLike> = Buffer.alloc(0)
    let hasStarted = false
    let isToBeCut = false
    client.on('data', (chunk) => {
      if (mine < silentUpTo) return
      pending = Buffer.concat([pending, chunk])
      for (;;) {
        // The first message has no letter before its length.
        const letter = hasStarted ? 1 : 0
        if (pending.length < letter + 4) return
        const end = letter + pending.readUInt32BE(letter)
        if (pending.length < end) return
        const message = pending.subarray(0, end)
        pending = pending.subarray(end)
        if (!hasStarted) hasStarted = true
        else {
          const told = {
            letter: String.fromCharCode(message[0] as number),
            text: message.toString('utf8', 5),
          }
          if (fate(told) === 'cut after') isToBeCut = true
          if (told.letter === SYNC) roundTrips++
          if (isToBeCut && told.letter === SYNC) {
            // The server does what it was asked for; nobody hears of it.
            isDeaf = true
            upstream.end(message)
            client.destroy()
            return
          }
        }
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
    for (const socket of sockets) socket.destroy()
  }
  const silence = () => {
    silentUpTo = connections
  }
  const lead = (to: string) => {
    ;({ hostname, port } = new URL(to))
    cut()
  }
  onTestFinished(async () => {
    cut()
    server.close()
    await once(server, 'close')
  })
  return { url: url.href, roundTrips: () => roundTrips, cut, silence, lead }
}
