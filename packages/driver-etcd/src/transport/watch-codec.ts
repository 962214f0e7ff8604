import type { IEvent, IWatchResponse } from 'etcd3'
import { MessageReader } from './message-reader.ts'
import { NO_HEADER, readHeader, readKeyValue } from './read-key-value.ts'

/** What etcd tells on a stream of watches: documents come by it, so it is read without an object for every field, as transactions are. */
export function decodeWatch(bytes: Buffer): IWatchResponse {
  const reader = new MessageReader(bytes)
  const response: IWatchResponse = {
    header: NO_HEADER,
    watch_id: '0',
    created: false,
    canceled: false,
    compact_revision: '0',
    cancel_reason: '',
    fragment: false,
    events: [],
  }
  while (reader.next())
    if (reader.field === 1) response.header = readHeader(reader.message())
    else if (reader.field === 2) response.watch_id = reader.long()
    else if (reader.field === 3) response.created = reader.number() !== 0
    else if (reader.field === 4) response.canceled = reader.number() !== 0
    else if (reader.field === 6) response.cancel_reason = reader.bytes().toString()
    else if (reader.field === 11) response.events.push(readEvent(reader.message()))
    else reader.passOver()
  return response
}

function readEvent(reader: MessageReader): IEvent {
  const event: Partial<IEvent> = { type: 'Put' }
  while (reader.next())
    if (reader.field === 1) event.type = reader.number() === 0 ? 'Put' : 'Delete'
    else if (reader.field === 2) event.kv = readKeyValue(reader.message())
    else reader.passOver()
  return event as IEvent
}
