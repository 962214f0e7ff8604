import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { InvalidArgumentError, type PostgresqlSslSettings, StoreError } from '@slotkeeper/core'

/**
 * What pg hands to `tls.connect` for a mode; false for `disable`. Files are read now, and again at every connect; one that cannot be read
 * then counts as it was read last, for a Secret may be in the middle of being mounted anew.
 * @throws StoreError `SLOTKEEPER_STORE_PERMISSION` for a file that cannot be read; InvalidArgumentError
 */
export function tlsOptions({ mode, rootCert, cert, key }: PostgresqlSslSettings): ConnectionOptions | false {
  if (mode === 'disable') return false
  const options: ConnectionOptions = { rejectUnauthorized: mode !== 'require' }
  // The name is what verify-ca leaves out; with verify-full it is what Node.js checks, addresses included.
  if (mode === 'verify-ca') options.checkServerIdentity = () => undefined
  if (rootCert !== undefined && mode !== 'require') file(options, 'ca', rootCert, 'ssl.rootCert')
  if ((cert === undefined) !== (key === undefined))
    throw new InvalidArgumentError('Of ssl.cert and ssl.key one is missing: give both or neither.')
  if (cert !== undefined) file(options, 'cert', cert, 'ssl.cert')
  if (key !== undefined) file(options, 'key', key, 'ssl.key')
  return options
}

/** pg copies the options at every connect, which calls the getter. */
function file(options: ConnectionOptions, name: 'ca' | 'cert' | 'key', path: string, setting: string): void {
  let last = readPem(path, setting)
  Object.defineProperty(options, name, {
    get: () => {
      try {
        last = readPem(path, setting)
        return last
      } catch {
        return last
      }
    },
    enumerable: name !== 'key', // so that nothing prints it; pg looks for it by name
    configurable: true,
  })
}

function readPem(path: string, setting: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new StoreError(
      'SLOTKEEPER_STORE_PERMISSION',
      `The file ${JSON.stringify(path)} of ${setting} cannot be read: ${(cause as Error).message}.`,
      cause,
    )
  }
  if (text.includes('-----BEGIN ')) return text
  throw new InvalidArgumentError(`The file ${JSON.stringify(path)} of ${setting} holds nothing in PEM.`)
}
