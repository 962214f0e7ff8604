import { onTestFinished } from 'vitest'
import { EtcdTransport } from '../../src/transport/etcd-transport.ts'
import { WatchStream } from '../../src/transport/watch-stream.ts'

/** A transport to members at these addresses, `host:port`; it asks for the password at every login. It ends with the test. */
export function transportTo(hosts: readonly string[], password?: () => string): EtcdTransport {
  const transport = new EtcdTransport({
    endpoints: hosts.map((host) => ({ host, isSecure: false })),
    login: password === undefined ? undefined : { username: 'root', password },
    tls: {},
  })
  onTestFinished(() => transport.close())
  return transport
}

/** What a watch was told. */
export interface Told {
  /** How often it began anew. */
  begun: number
  readonly keys: Set<string>
}

/** Watches all keys below a prefix until the test is over. */
export function watchAll(transport: EtcdTransport, prefix: string): Told {
  const told: Told = { begun: 0, keys: new Set() }
  const nothing = () => undefined
  const stream = new WatchStream(transport, {
    from: `${prefix}/`,
    to: `${prefix}0`,
    begin: () => told.begun++,
    pause: nothing,
    event: ({ kv }) => told.keys.add(kv.key.toString()),
    followed: nothing,
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  })
  stream.start()
  onTestFinished(() => stream.stop())
  return told
}
