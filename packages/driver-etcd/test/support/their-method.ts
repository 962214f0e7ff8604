import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { MethodDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

/** A method as the protocol's files have it, for holding codecs of our own against. */
export function theirMethod<Request, Response>(
  service: string,
  name: string,
): MethodDefinition<Request, Response> {
  const file = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto')
  const services = loadSync(file, {
    includeDirs: [dirname(file)],
    keepCase: true,
    longs: String,
    enums: String,
  })
  const methods = services[`etcdserverpb.${service}`] as unknown as Record<
    string,
    MethodDefinition<Request, Response>
  >
  return methods[name] as MethodDefinition<Request, Response>
}
