import { randomBytes } from 'node:crypto'

/** The members of the cluster that the tests are run against. */
export function endpoints(): string[] {
  const value = process.env.TEST_ETCD_ENDPOINTS
  if (value === undefined)
    throw new Error('TEST_ETCD_ENDPOINTS is missing: run these tests by npm test, which starts a server.')
  return value.split(',')
}

/** A prefix that nobody has. What is below it stays: a server of the project's own is thrown away, and yours is yours. */
export function newPrefix(): string {
  return `/slotkeeper-test-${randomBytes(6).toString('hex')}`
}
