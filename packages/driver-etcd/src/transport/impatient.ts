import type { ChannelCredentials } from '@grpc/grpc-js'

/**
 * Has connections that are made with these credentials end where the server says nothing at all for so long. gRPC itself waits for ever for one
 * that accepts a connection and is silent, also when nobody needs the connection any more.
 */
export function impatient(credentials: ChannelCredentials, patienceMs: number): ChannelCredentials {
  // A part of gRPC that it promises to nobody: where it has gone, so has this.
  const make = (credentials as Partial<ChannelCredentials>)._createSecureConnector?.bind(credentials)
  if (make === undefined) return credentials
  credentials._createSecureConnector = (...given) => {
    const connector = make(...given)
    const connect = connector.connect.bind(connector)
    connector.connect = (socket) => {
      setTimeout(() => {
        if (socket.bytesRead === 0) socket.destroy(new Error('the server says nothing'))
      }, patienceMs).unref()
      return connect(socket)
    }
    return connector
  }
  return credentials
}
