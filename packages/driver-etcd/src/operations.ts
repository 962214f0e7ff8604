import type { ICompare, IKeyValue, IRangeRequest, IRequestOp, ITxnRequest } from 'etcd3'

/** What a range of keys is read with. */
export interface RangeOptions {
  readonly limit?: number
  readonly keysOnly?: boolean
  readonly countOnly?: boolean
  readonly revision?: number
}

/** Reads one key. */
export function get(key: string, options: RangeOptions = {}): IRequestOp {
  return { request_range: rangeRequest(options, key) }
}

/** Reads the keys from `from` to before `to`, in their order. */
export function range(from: string, to: string, options: RangeOptions = {}): IRequestOp {
  return { request_range: rangeRequest(options, from, to) }
}

function rangeRequest(options: RangeOptions, from: string, to?: string): IRangeRequest {
  const request: IRangeRequest = { key: Buffer.from(from) }
  if (to !== undefined) request.range_end = Buffer.from(to)
  if (options.limit !== undefined) request.limit = options.limit
  if (options.keysOnly) request.keys_only = true
  if (options.countOnly) request.count_only = true
  if (options.revision !== undefined) request.revision = options.revision
  return request
}

/** Writes a key; with a lease, it goes with that. */
export function put(key: string, value: string, lease?: string): IRequestOp {
  const request = { key: Buffer.from(key), value: Buffer.from(value) }
  return { request_put: lease === undefined ? request : { ...request, lease } }
}

/** Counts the version of a key up, and leaves its value and its lease. The key must be there, or the whole transaction fails. */
export function touch(key: string): IRequestOp {
  return { request_put: { key: Buffer.from(key), ignore_value: true, ignore_lease: true } }
}

/** Deletes one key, if it is there. */
export function del(key: string): IRequestOp {
  return { request_delete_range: { key: Buffer.from(key) } }
}

/** A transaction inside of another one. */
export function nested(request: ITxnRequest): IRequestOp {
  return { request_txn: request }
}

/** Holds when the key was last written in this revision; 0 = there is none. */
export function unchanged(key: string, revision: number): ICompare {
  return { key: Buffer.from(key), result: 'Equal', target: 'Mod', mod_revision: revision }
}

/** Holds when the key is there. */
export function exists(key: string): ICompare {
  return { key: Buffer.from(key), result: 'Greater', target: 'Version', version: 0 }
}

/** Holds when the key is not there. */
export function absent(key: string): ICompare {
  return { key: Buffer.from(key), result: 'Equal', target: 'Version', version: 0 }
}

/** Holds when the key is there and its value sorts before this one. */
export function isBelow(key: string, value: string): ICompare {
  return { key: Buffer.from(key), result: 'Less', target: 'Value', value: Buffer.from(value) }
}

/** Holds when the key is there and its value sorts after this one. */
export function isAbove(key: string, value: string): ICompare {
  return { key: Buffer.from(key), result: 'Greater', target: 'Value', value: Buffer.from(value) }
}

/** Holds when the key is there with this value. */
export function isValue(key: string, value: string): ICompare {
  return { key: Buffer.from(key), result: 'Equal', target: 'Value', value: Buffer.from(value) }
}

/** A key as text. */
export function keyOf(kv: IKeyValue): string {
  return kv.key.toString()
}

/** The bytes that an operation takes on the way, roughly. */
export function bytesOf(operation: IRequestOp): number {
  const { request_put: written, request_delete_range: deleted } = operation
  const { key, value } = (written ?? deleted ?? {}) as { key?: Buffer; value?: Buffer }
  return 64 + (key?.length ?? 0) + (value?.length ?? 0)
}
