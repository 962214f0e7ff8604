import type {
  ICompare,
  IKeyValue,
  IRangeResponse,
  IRequestOp,
  IResponseOp,
  ITxnRequest,
  ITxnResponse,
} from 'etcd3'
import { MessageReader } from './message-reader.ts'
import { MessageWriter } from './message-writer.ts'
import { NO_HEADER, readHeader, readKeyValue } from './read-key-value.ts'

const RESULTS: Readonly<Record<string, number>> = { Equal: 0, Greater: 1, Less: 2, NotEqual: 3 }
const TARGETS: Readonly<Record<string, number>> = { Version: 0, Create: 1, Mod: 2, Value: 3, Lease: 4 }

const writer = new MessageWriter()

/**
 * A transaction in the bytes of etcd's protocol. The client spends most of its time on them: written and read here, without an object for
 * every field, they take a fraction.
 */
export function encodeTxn(request: ITxnRequest): Buffer {
  writer.clear()
  writeTxn(request)
  return writer.finish()
}

function writeTxn({ compare = [], success = [], failure = [] }: ITxnRequest): void {
  writeOperations(3, failure)
  writeOperations(2, success)
  for (let at = compare.length - 1; at >= 0; at--) {
    const mark = writer.written
    writeCompare(compare[at] as ICompare)
    writer.message(1, mark)
  }
}

function writeCompare({
  key,
  result = 'Equal',
  target = 'Version',
  version,
  mod_revision,
  value,
}: ICompare): void {
  if (value !== undefined) writer.bytes(7, value as Buffer)
  if (mod_revision !== undefined) writer.number(6, Number(mod_revision))
  if (version !== undefined) writer.number(4, Number(version))
  writer.bytes(3, key as Buffer)
  writer.number(2, TARGETS[target] as number)
  writer.number(1, RESULTS[result] as number)
}

function writeOperations(field: number, operations: readonly IRequestOp[]): void {
  for (let at = operations.length - 1; at >= 0; at--) {
    const mark = writer.written
    writeOperation(operations[at] as IRequestOp)
    writer.message(field, mark)
  }
}

function writeOperation({ request_range, request_put, request_delete_range, request_txn }: IRequestOp): void {
  const mark = writer.written
  if (request_range !== undefined) {
    const { key, range_end, limit, revision, keys_only, count_only } = request_range
    if (count_only) writer.number(9, 1)
    if (keys_only) writer.number(8, 1)
    if (revision !== undefined) writer.number(4, Number(revision))
    if (limit !== undefined) writer.number(3, Number(limit))
    if (range_end !== undefined) writer.bytes(2, range_end as Buffer)
    writer.bytes(1, key as Buffer)
    writer.message(1, mark)
  } else if (request_put !== undefined) {
    const { key, value, lease, ignore_value, ignore_lease } = request_put
    if (ignore_lease) writer.number(6, 1)
    if (ignore_value) writer.number(5, 1)
    if (lease !== undefined) writer.long(3, BigInt(lease))
    if (value !== undefined) writer.bytes(2, value as Buffer)
    writer.bytes(1, key as Buffer)
    writer.message(2, mark)
  } else if (request_delete_range !== undefined) {
    writer.bytes(1, request_delete_range.key as Buffer)
    writer.message(3, mark)
  } else if (request_txn !== undefined) {
    writeTxn(request_txn)
    writer.message(4, mark)
  }
}

/** What etcd answered to a transaction. Of what was written or deleted it says nothing that anybody wants to know. */
export function decodeTxn(bytes: Buffer): ITxnResponse {
  return readTxn(new MessageReader(bytes))
}

function readTxn(reader: MessageReader): ITxnResponse {
  let header = NO_HEADER
  let succeeded = false
  const responses: IResponseOp[] = []
  while (reader.next())
    if (reader.field === 1) header = readHeader(reader.message())
    else if (reader.field === 2) succeeded = reader.number() !== 0
    else if (reader.field === 3) responses.push(readResponse(reader.message()))
    else reader.passOver()
  return { header, succeeded, responses }
}

function readResponse(reader: MessageReader): IResponseOp {
  const response: Partial<IResponseOp> = {}
  while (reader.next())
    if (reader.field === 1) response.response_range = readRange(reader.message())
    else if (reader.field === 4) response.response_txn = readTxn(reader.message())
    else reader.passOver()
  return response as IResponseOp
}

function readRange(reader: MessageReader): IRangeResponse {
  const kvs: IKeyValue[] = []
  let more = false
  let count = '0'
  while (reader.next())
    if (reader.field === 2) kvs.push(readKeyValue(reader.message()))
    else if (reader.field === 3) more = reader.number() !== 0
    else if (reader.field === 4) count = String(reader.number())
    else reader.passOver()
  return { header: NO_HEADER, kvs, more, count }
}
