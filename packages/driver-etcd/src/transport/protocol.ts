import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { MethodDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type {
  IAuthenticateRequest,
  IAuthenticateResponse,
  ILeaseGrantRequest,
  ILeaseGrantResponse,
  ILeaseKeepAliveRequest,
  ILeaseKeepAliveResponse,
  ILeaseRevokeRequest,
  ILeaseRevokeResponse,
  IStatusResponse,
  ITxnRequest,
  ITxnResponse,
  IWatchRequest,
  IWatchResponse,
} from 'etcd3'
import { decodeTxn, encodeTxn } from './txn-codec.ts'
import { decodeWatch } from './watch-codec.ts'

/** A method of etcd's API. */
export type Method<Request, Response> = MethodDefinition<Request, Response>

/** The methods of etcd's API that the driver calls, as the protocol files of etcd3 define them. */
export interface Protocol {
  readonly txn: Method<ITxnRequest, ITxnResponse>
  readonly watch: Method<IWatchRequest, IWatchResponse>
  readonly leaseGrant: Method<ILeaseGrantRequest, ILeaseGrantResponse>
  readonly leaseRevoke: Method<ILeaseRevokeRequest, ILeaseRevokeResponse>
  readonly leaseKeepAlive: Method<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>
  readonly authenticate: Method<IAuthenticateRequest, IAuthenticateResponse>
  readonly status: Method<object, IStatusResponse>
}

let loaded: Protocol | undefined

/** Reads the protocol files, once in a process. */
export function protocol(): Protocol {
  if (loaded !== undefined) return loaded
  const file = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto')
  const services = loadSync(file, {
    includeDirs: [dirname(file)],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  })
  const method = (service: string, name: string) => {
    const methods = services[`etcdserverpb.${service}`] as unknown as Record<string, unknown>
    return methods[name]
  }
  loaded = {
    txn: {
      ...(method('KV', 'Txn') as object),
      requestSerialize: encodeTxn,
      responseDeserialize: decodeTxn,
    },
    watch: { ...(method('Watch', 'Watch') as object), responseDeserialize: decodeWatch },
    leaseGrant: method('Lease', 'LeaseGrant'),
    leaseRevoke: method('Lease', 'LeaseRevoke'),
    leaseKeepAlive: method('Lease', 'LeaseKeepAlive'),
    authenticate: method('Auth', 'Authenticate'),
    status: method('Maintenance', 'Status'),
  } as Protocol
  return loaded
}
