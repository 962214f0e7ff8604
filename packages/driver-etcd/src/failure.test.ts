import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { toFailure } from './failure.ts'

test('what the client names and has not is not repeated, and there is one full stop at the end of a sentence', () => {
  const refused = 'Error: connect ECONNREFUSED 127.0.0.1:2379'
  for (const [details, words] of [
    ['No connection established. Last error: null. Resolution note: ', 'No connection established'],
    ['No connection established. Last error: . Resolution note: ', 'No connection established'],
    [
      `No connection established. Last error: ${refused}. Resolution note: `,
      `No connection established. Last error: ${refused}`,
    ],
    [
      `No connection established. Last error: ${refused}. Resolution note: by hand.`,
      `No connection established. Last error: ${refused}. Resolution note: by hand`,
    ],
    ['etcdserver: no leader', 'etcdserver: no leader'],
    ['', 'gRPC status UNAVAILABLE'],
  ]) {
    const { message } = toFailure({ code: status.UNAVAILABLE, details }, 'It failed')
    expect(message).toMatch(/\. Check the endpoints/)
    expect(message.slice(0, message.indexOf(' Check'))).toBe(`It failed: ${words}.`)
  }
})

const unavailable = (details: string) => toFailure({ code: status.UNAVAILABLE, details }, 'It failed')

test('a name of a host says nothing of TLS, and nothing else', () => {
  for (const details of [
    'Name resolution failed for target dns:etcd-tls.invalid:2379',
    'Name resolution failed for target dns:certificate.ssl.invalid:2379',
    'No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.1:2379. Resolution note: certificate.tls.invalid',
    'Name resolution failed for target dns:corrupt.invalid:2379',
  ])
    expect(unavailable(details), details).toMatchObject({
      code: 'SLOTKEEPER_STORE_UNAVAILABLE',
      retryable: true,
    })
})

test('what TLS says of a connection that is not made is told as such', () => {
  for (const error of [
    'Error: self-signed certificate in certificate chain',
    'Error: unable to get local issuer certificate',
    'Error: certificate has expired',
    'Error: Client network socket disconnected before secure TLS connection was established',
    "Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames: Host: a.test. is not in the cert's altnames: DNS:b.test",
    'Error: write EPROTO 80A8:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/openssl/ssl/record.c:354:\n',
    '80A8:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/openssl/ssl/record.c:1605:',
  ])
    expect(
      unavailable(`No connection established. Last error: ${error}. Resolution note: `),
      error,
    ).toMatchObject({ code: 'SLOTKEEPER_STORE_TLS' })
})

test('where TLS fails while a call is under way it may have been carried out, so it may be repeated', () => {
  for (const [code, details] of [
    [
      status.INTERNAL,
      'Received RST_STREAM with code 2 triggered by internal client error: 80A8:error:0A000119:SSL routines:tls_get_more_records:decryption failed or bad record mac',
    ],
    [status.UNAVAILABLE, 'Client network socket disconnected before secure TLS connection was established'],
  ] as const)
    expect(toFailure({ code, details }, 'It failed')).toMatchObject({ retryable: true })
})
