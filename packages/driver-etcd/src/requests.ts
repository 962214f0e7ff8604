import type { IRangeResponse, IRequestOp, IResponseOp } from 'etcd3'
import { bytesOf } from './operations.ts'

/** A request may have 1.5 MiB unless the server says otherwise; there is more in one than keys and values. */
const MOST_BYTES = 1_000_000

/** Something that needs room in a transaction. */
export interface Parcel {
  readonly operations: readonly IRequestOp[]
}

/**
 * Puts parcels into as few transactions as hold them, none of them split. `widthOf` counts a parcel's operations; `fits` says whether a transaction with so many parcels, so many
 * operations in all of them together, and so many in the largest is within the server's limit.
 */
export function packed<T extends Parcel>(
  parcels: readonly T[],
  widthOf: (parcel: T) => number,
  fits: (size: {
    readonly parcels: number
    readonly operations: number
    readonly largest: number
  }) => boolean,
): T[][] {
  const groups: T[][] = []
  let open: T[] = []
  let size = { parcels: 0, operations: 0, largest: 0, bytes: 0 }
  for (const parcel of parcels) {
    const count = widthOf(parcel)
    const bytes = parcel.operations.reduce((sum, operation) => sum + bytesOf(operation), 0)
    const next = {
      parcels: size.parcels + 1,
      operations: size.operations + count,
      largest: Math.max(size.largest, count),
      bytes: size.bytes + bytes,
    }
    if (open.length > 0 && !(fits(next) && next.bytes <= MOST_BYTES)) {
      groups.push(open)
      open = []
      size = { parcels: 1, operations: count, largest: count, bytes }
    } else size = next
    open.push(parcel)
  }
  if (open.length > 0) groups.push(open)
  return groups
}

/** The answer of a read among the answers of a transaction. */
export function rangeOf(response: IResponseOp | undefined): IRangeResponse {
  return response?.response_range as IRangeResponse
}
