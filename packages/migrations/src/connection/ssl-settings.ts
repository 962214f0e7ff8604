import { InvalidArgumentError, type PostgresqlSslSettings } from '@slotkeeper/core'

const MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const

/** What was said about TLS, in text; empty is as good as absent. */
export interface GivenSsl {
  readonly mode?: string | undefined
  readonly rootCert?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/**
 * Reads settings of TLS out of `where`, which is a connection string or the environment; nothing when nothing is said. Whatever would have
 * no effect is refused, for everybody would believe that it has one.
 * @throws InvalidArgumentError
 */
export function sslSettings(where: string, given: GivenSsl): PostgresqlSslSettings | undefined {
  const { mode, rootCert, cert, key } = Object.fromEntries(
    Object.entries(given).filter(([, text]) => text !== undefined && text !== ''),
  ) as GivenSsl
  if (mode === undefined && (rootCert ?? cert ?? key) === undefined) return undefined
  const refuse = (message: string) => new InvalidArgumentError(`${where} ${message}`)
  if (mode === undefined)
    throw refuse(
      'names certificates and no sslmode, so that nothing would be encrypted: add sslmode=verify-full.',
    )
  if (!isMode(mode))
    throw refuse(
      `has the sslmode ${JSON.stringify(mode.slice(0, 20))}. It must be ${MODES.slice(0, -1).join(', ')} or ${MODES.at(-1)}.`,
    )
  if (mode === 'disable' && (rootCert ?? cert ?? key) !== undefined)
    throw refuse('names certificates and sslmode=disable, so that nothing would be encrypted.')
  if (mode === 'require' && rootCert !== undefined)
    throw refuse(
      'names an sslrootcert and sslmode=require, which verifies nothing: write verify-ca or verify-full.',
    )
  if ((cert === undefined) !== (key === undefined))
    throw refuse('names one of sslcert and sslkey: give both or neither.')
  return {
    mode,
    ...(rootCert !== undefined && { rootCert }),
    ...(cert !== undefined && key !== undefined && { cert, key }),
  }
}

function isMode(text: string): text is PostgresqlSslSettings['mode'] {
  return (MODES as readonly string[]).includes(text)
}
