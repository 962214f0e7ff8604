import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A way to a member whose answers may get lost: what is asked still arrives. Ends with the test. */
export interface DeafWay {
  readonly endpoint: string
  /** From now on nothing comes back. */
  deafen(): void
  /** Ends all connections; new ones are as they should be. */
  heal(): void
}

export async function deafWay(target: string): Promise<DeafWay> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let isDeaf = false
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => from.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
    client.on('data', (bytes) => upstream.write(bytes))
    upstream.on('data', (bytes) => {
      if (!isDeaf) client.write(bytes)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    cut()
    server.close()
    await once(server, 'close')
  })
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deafen() {
      isDeaf = true
    },
    heal() {
      isDeaf = false
      cut()
    },
  }
}
