import { describe, expect, test } from 'vitest'
import { isSlotkeeperError } from './errors.ts'
import { describeRepository, keyOf, MAX_LIMIT, type Repository, repository } from './repository.ts'

describe('a repository', () => {
  test('made from a key has the shape of the Kubernetes resource', () => {
    expect(repository('acme/api', { concurrencyLimit: 2 })).toEqual({
      metadata: { namespace: 'acme', name: 'api' },
      spec: { concurrencyLimit: 2 },
    })
    expect(repository('acme/api')).toEqual({ metadata: { namespace: 'acme', name: 'api' }, spec: {} })
  })

  test('may carry whatever else a resource has', () => {
    const resource = {
      apiVersion: 'v1',
      metadata: { namespace: 'a', name: 'b', uid: 'u', generation: 7, labels: {} },
      spec: { concurrencyLimit: 3, url: 'x' },
      status: [],
    }
    expect(describeRepository(resource)).toMatchObject({
      key: 'a/b',
      proposal: { limit: 3, uid: 'u', generation: 7 },
    })
  })

  test('has a limit of its own, is unlimited, or leaves the word to another', () => {
    const limitFor = (concurrencyLimit: number | null | undefined) =>
      describeRepository({
        metadata: { namespace: 'a', name: 'b' },
        spec: { concurrencyLimit } as Repository['spec'],
      }).proposal.limit
    expect([5, 0, null, undefined, MAX_LIMIT].map(limitFor)).toEqual([5, 0, null, null, MAX_LIMIT])
  })

  test.for([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, MAX_LIMIT + 1, '2', true, {}])(
    'may not have the limit %j',
    (limit) => {
      expect(() => repository('acme/api', { concurrencyLimit: limit as number })).toThrow(
        /concurrencyLimit is .*it must be a whole number from 0/,
      )
    },
  )

  test.for([
    undefined,
    null,
    7,
    'acme',
    {},
    { metadata: {}, spec: {} },
    { metadata: null, spec: {} },
    { metadata: { namespace: 'a', name: 'b' } },
    { metadata: { namespace: 'a/b', name: 'c' }, spec: {} },
    { metadata: { namespace: '', name: 'c' }, spec: {} },
    { metadata: { namespace: 'a', name: 1n }, spec: {} },
    { metadata: { namespace: 'a', name: 'b\0' }, spec: {} },
    { metadata: { namespace: 'a', name: 'b', uid: '' }, spec: {} },
    { metadata: { namespace: 'a', name: 'b', uid: 7 }, spec: {} },
    { metadata: { namespace: 'a', name: 'b', uid: '\ud800' }, spec: {} },
    { metadata: { namespace: 'a', name: 'b', generation: -1 }, spec: {} },
    { metadata: { namespace: 'a', name: 'b', generation: 1.5 }, spec: {} },
  ])('may not be given as case %#', (wrong) => {
    try {
      describeRepository(wrong as unknown as Repository)
      expect.unreachable()
    } catch (error) {
      expect(isSlotkeeperError(error, 'SLOTKEEPER_INVALID_ARGUMENT'), String(error)).toBe(true)
    }
  })

  test('is looked at again when its fields change', () => {
    const one = {
      metadata: { namespace: 'a', name: 'b', generation: 1 },
      spec: { concurrencyLimit: 1 as number | null },
    }
    const first = describeRepository(one)
    expect(describeRepository(one)).toBe(first)
    one.spec.concurrencyLimit = null
    expect(describeRepository(one).proposal.limit).toBe(null)
    one.metadata.generation = 2
    expect(describeRepository(one).proposal.generation).toBe(2)
    one.metadata.name = 'c'
    expect(describeRepository(one).key).toBe('a/c')
    one.spec.concurrencyLimit = -1
    expect(() => describeRepository(one)).toThrow(/concurrencyLimit/)
    ;(one as { metadata?: unknown }).metadata = undefined
    expect(() => describeRepository(one)).toThrow(/is not a Repository/)
  })

  test('is named by its key or by itself', () => {
    expect(keyOf('acme/api')).toBe('acme/api')
    expect(keyOf(repository('acme/api'))).toBe('acme/api')
    expect(() => keyOf('acme' as 'a/b')).toThrow(/is not a key/)
    expect(() => keyOf(undefined as never)).toThrow(/is not a Repository/)
  })
})
