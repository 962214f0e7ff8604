import { Server, ServerCredentials, type UntypedHandleCall } from '@grpc/grpc-js'
import { onTestFinished } from 'vitest'
import { theirMethod } from './their-method.ts'

/** A server that speaks etcd's protocol and does with calls what a test says, by `Service.Method`. Answers where it is; ends with the test. */
export async function fakeEtcd(calls: Readonly<Record<string, UntypedHandleCall>>): Promise<string> {
  const server = new Server()
  for (const [name, handle] of Object.entries(calls)) {
    const [service, method] = name.split('.') as [string, string]
    server.addService({ [method]: theirMethod(service, method) }, { [method]: handle })
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  onTestFinished(() => server.forceShutdown())
  return `127.0.0.1:${port}`
}
