import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** Says, once it knows, who opened a connection: told what the connection carries, from its beginning on. */
export type Recognise = (bytes: Buffer) => string | undefined

/** A way to a server. It can be cut without anybody being told, as networks do it: what is on its way stays there. */
export interface Way {
  /** Where it begins: an address like that of the server. */
  readonly endpoint: string
  /** Nothing comes through any more, for those who are named or, if nobody is, for all. */
  cut(whom?: string): void
  /** What was held back arrives, and everything comes through again. */
  mend(): void
}

interface Connection {
  readonly sockets: readonly [client: Socket, server: Socket]
  from: string | undefined
}

/** Makes a way to a server; it ends with the test. With `recognise`, some who use it can be cut off and others not. */
export async function wayTo(target: string, recognise: Recognise = () => undefined): Promise<Way> {
  const { hostname, port } = new URL(target)
  const connections = new Set<Connection>()
  /** Who is cut off: nobody, everybody, or one and those who have not said yet who they are. */
  let isCut = (_: Connection) => false
  const settle = (connection: Connection) => {
    const isHeld = isCut(connection)
    for (const socket of connection.sockets)
      if (isHeld) socket.pause()
      else socket.resume()
  }
  const server = createServer({ pauseOnConnect: true }, (client) => {
    const upstream = connect(Number(port), hostname)
    const connection: Connection = { sockets: [client, upstream], from: undefined }
    connections.add(connection)
    const pass = (from: Socket, to: Socket) => {
      from.on('data', (bytes) => {
        if (from === client) connection.from ??= recognise(bytes)
        // It came before it was known whose it is.
        if (isCut(connection)) {
          settle(connection)
          from.unshift(bytes)
        } else to.write(bytes)
      })
      from.on('error', () => from.destroy())
      from.on('close', () => {
        connections.delete(connection)
        to.destroy()
      })
    }
    pass(client, upstream)
    pass(upstream, client)
    settle(connection)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const { sockets } of connections) for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut(whom) {
      isCut = whom === undefined ? () => true : ({ from }) => from === whom
      for (const connection of connections) settle(connection)
    },
    mend() {
      isCut = () => false
      for (const connection of connections) settle(connection)
    },
  }
}
