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
