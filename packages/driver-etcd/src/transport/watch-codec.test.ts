import type { IWatchRequest, IWatchResponse } from 'etcd3'
import { expect, test } from 'vitest'
import { theirMethod } from '../../test/support/their-method.ts'
import { decodeWatch } from './watch-codec.ts'

/** The same by the protocol's files. */
const theirs = theirMethod<IWatchRequest, IWatchResponse>('Watch', 'Watch')

const kv = {
  ...{ key: Buffer.from('k/é'), value: Buffer.from('x'.repeat(70_000)) },
  ...{ create_revision: '0', mod_revision: String(2 ** 52 + 1), version: '300', lease: '-7' },
}
const none = { create_revision: '0', version: '0', lease: '0' }
const deleted = { ...none, key: Buffer.from('gone'), value: Buffer.alloc(0), mod_revision: '9' }

const response = (told: Partial<IWatchResponse>): IWatchResponse => ({
  ...{ header: { cluster_id: '0', member_id: '0', revision: '0', raft_term: '0' }, watch_id: '0' },
  ...{
    created: false,
    canceled: false,
    compact_revision: '0',
    cancel_reason: '',
    fragment: false,
    events: [],
  },
  ...told,
})

test('what a stream of watches tells is read as the protocol has it', () => {
  for (const told of [
    response({ created: true, watch_id: '1001' }),
    response({ canceled: true, watch_id: '-1', cancel_reason: 'no such thing' }),
    response({ header: { cluster_id: '0', member_id: '0', revision: String(2 ** 40), raft_term: '0' } }),
    response({
      watch_id: '1001',
      events: [
        { type: 'Put', kv },
        { type: 'Delete', kv: deleted },
      ] as IWatchResponse['events'],
    }),
  ])
    expect(decodeWatch(theirs.responseSerialize(told))).toEqual(told)
})

test('what nobody asks for is passed over', () => {
  const told = response({
    header: { cluster_id: '3', member_id: '4', revision: '5', raft_term: '6' },
    compact_revision: '7',
    events: [{ type: 'Put', kv: { ...kv, create_revision: '2' }, prev_kv: kv }],
  })
  const header = { ...told.header, cluster_id: '0', member_id: '0', raft_term: '0' }
  expect(decodeWatch(theirs.responseSerialize(told))).toEqual(
    response({ header, events: [{ type: 'Put', kv }] as IWatchResponse['events'] }),
  )
})
