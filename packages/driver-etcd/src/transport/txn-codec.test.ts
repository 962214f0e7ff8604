import type { IRequestOp, ITxnRequest, ITxnResponse } from 'etcd3'
import { expect, test } from 'vitest'
import { theirMethod } from '../../test/support/their-method.ts'
import {
  absent,
  del,
  exists,
  get,
  isAbove,
  isBelow,
  isValue,
  nested,
  put,
  range,
  touch,
  unchanged,
} from '../operations.ts'
import { decodeTxn, encodeTxn } from './txn-codec.ts'

/** The same by the protocol's files. */
const theirs = theirMethod<ITxnRequest, ITxnResponse>('KV', 'Txn')

const BIG = 'x'.repeat(70_000)
const operations: IRequestOp[] = [
  get('a/é'),
  get('', { revision: 2 ** 40 }),
  range('a', 'b', { limit: 1000, keysOnly: true }),
  range('a', 'b', { countOnly: true, revision: 127 }),
  put('k', ''),
  put(BIG, BIG),
  put('k', 'v', '7587869134870398977'),
  put('k', 'v', '-3'),
  touch('k'),
  del('k'),
]
const compare = [
  absent('a'),
  exists('b'),
  unchanged('c', 0),
  unchanged('c', 2 ** 52 + 1),
  isBelow('d', '0001'),
  isAbove('d', ''),
  isValue('e', BIG),
]

const requests: ITxnRequest[] = [
  {},
  { compare, success: operations, failure: operations.slice(0, 4) },
  { success: [nested({ compare, success: [nested({ failure: operations })] }), ...operations] },
]

test('a transaction is written as the protocol has it', () => {
  for (const request of requests)
    expect(theirs.requestDeserialize(encodeTxn(request))).toEqual(
      theirs.requestDeserialize(theirs.requestSerialize(request)),
    )
})

test('an answer is read as the protocol has it', () => {
  const header = { revision: String(2 ** 45) }
  const read = {
    kvs: [
      {
        key: Buffer.from('k'),
        create_revision: '7',
        mod_revision: String(2 ** 52 + 1),
        version: '300',
        value: Buffer.from(BIG),
        lease: '7587869134870398977',
      },
      { key: Buffer.from('l'), mod_revision: '1', version: '1', value: Buffer.alloc(0) },
    ],
    more: true,
    count: '12345',
  }
  const bytes = theirs.responseSerialize({
    header: {
      ...header,
      cluster_id: '14841639068965178418',
      member_id: '10276657743932975437',
      raft_term: '2',
    },
    succeeded: true,
    responses: [
      { response_range: read },
      { response_put: { header } },
      {
        response_txn: {
          succeeded: false,
          responses: [{ response_range: read }, { response_delete_range: {} }],
        },
      },
    ],
  } as unknown as ITxnResponse)
  const { responses, ...others } = decodeTxn(bytes)
  expect(others).toMatchObject({ header, succeeded: true })
  expect(responses).toHaveLength(3)
  const [range, , txn] = responses
  const [first] = read.kvs
  // When a key was made nobody wants to know.
  const kvs = [
    { ...first, create_revision: '0' },
    { ...read.kvs[1], create_revision: '0', lease: '0' },
  ]
  expect(range?.response_range).toMatchObject({ more: true, count: '12345', kvs })
  expect(txn?.response_txn).toMatchObject({ succeeded: false })
  expect(txn?.response_txn.responses[0]?.response_range).toMatchObject({ kvs })
  expect(decodeTxn(Buffer.alloc(0))).toMatchObject({
    succeeded: false,
    responses: [],
    header: { revision: '0' },
  })
})
