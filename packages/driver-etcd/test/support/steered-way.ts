import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A way to a server that is told what becomes of new connections. It ends with the test. */
export interface SteeredWay {
  /** Where it begins: `host:port`. */
  readonly host: string
  /** Served, reset, accepted without ever an answer, or served until so many bytes have come back: then it ends, and the next ones are served. */
  next: 'serve' | 'reset' | 'swallow' | number
  /** So many connections were made, whatever became of them. */
  readonly connections: number
  /** So many of them are there, to a server or to nobody. */
  readonly open: number
  /** Ends all connections. */
  cut(): void
}

/** Makes one; the server's address is a URL. */
export async function steeredWay(target: string): Promise<SteeredWay> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const keep = (socket: Socket, other: Socket | undefined) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      sockets.delete(socket)
      other?.destroy()
    })
  }
  const server = createServer((client) => {
    way.connections++
    if (way.next === 'reset') return client.resetAndDestroy()
    if (way.next === 'swallow') {
      client.resume()
      return keep(client, undefined)
    }
    const upstream = connect(Number(port), hostname)
    keep(client, upstream)
    keep(upstream, client)
    client.pipe(upstream)
    let left = way.next === 'serve' ? Number.POSITIVE_INFINITY : way.next
    upstream.on('data', (bytes) => {
      client.write(bytes.subarray(0, left))
      left -= bytes.length
      if (left > 0) return
      way.next = 'serve'
      client.destroySoon()
      upstream.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const way = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: 'serve' as SteeredWay['next'],
    connections: 0,
    get open() {
      return sockets.size
    },
    cut() {
      for (const socket of sockets) socket.destroy()
    },
  }
  onTestFinished(async () => {
    way.next = 'reset'
    way.cut()
    server.close()
    await once(server, 'close')
  })
  return way
}
