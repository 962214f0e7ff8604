import type { IKeyValue, IResponseHeader } from 'etcd3'
import type { MessageReader } from './message-reader.ts'

/** Where nobody asks for one. */
export const NO_HEADER: IResponseHeader = { cluster_id: '0', member_id: '0', revision: '0', raft_term: '0' }

/** The revision of an answer's header; nothing else of it is wanted. */
export function readHeader(reader: MessageReader): IResponseHeader {
  let revision = '0'
  while (reader.next())
    if (reader.field === 3) revision = String(reader.number())
    else reader.passOver()
  return { ...NO_HEADER, revision }
}

const NOTHING = Buffer.alloc(0)

/** A key with its value and what is known of it. */
export function readKeyValue(reader: MessageReader): IKeyValue {
  const kv: IKeyValue = {
    key: NOTHING,
    create_revision: '0',
    mod_revision: '0',
    version: '0',
    value: NOTHING,
    lease: '0',
  }
  while (reader.next())
    if (reader.field === 1) kv.key = reader.bytes()
    else if (reader.field === 3) kv.mod_revision = String(reader.number())
    else if (reader.field === 4) kv.version = String(reader.number())
    else if (reader.field === 5) kv.value = reader.bytes()
    else if (reader.field === 6) kv.lease = reader.long()
    else reader.passOver()
  return kv
}
