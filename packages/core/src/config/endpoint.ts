import * as z from 'zod/mini'
import { shown } from './shown.ts'

/** How endpoints are written, to go on after "is not" and "must be". */
export const endpointsSyntax =
  'a list of host:port, http://host:port or https://host:port, separated by commas'

const SCHEME = /^https?:\/\//i

/** A server: `host:port`, `http://host:port` or `https://host:port`; kept as written, the scheme in lower case. */
export const endpointSchema = z.pipe(
  z.string().check(
    z.superRefine((text, { addIssue }) => {
      const why = whyNot(text)
      if (why !== undefined)
        addIssue(`${shown(text)} is not an endpoint: ${why}. It must be ${endpointsSyntax}.`)
    }),
  ),
  z.transform((text) => text.replace(SCHEME, (scheme) => scheme.toLowerCase()).replace(/\/$/, '')),
)

function whyNot(text: string): string | undefined {
  const hasScheme = SCHEME.test(text)
  const address = hasScheme ? text : `http://${text}`
  if (text.includes('@')) return 'a user and a password have keys of their own'
  if (!URL.canParse(address) || /[\s\\]|:\/?$/.test(text)) return 'it cannot be read'
  const { pathname, search, hash } = new URL(address)
  if (pathname !== '/' || search !== '' || hash !== '') return 'it has more than a host and a port'
  const port = /:(\d+)\/?$/.exec(text)?.[1]
  if (port === undefined && !hasScheme) return 'it has no port (etcd listens on 2379)'
  if (Number(port) === 0) return 'a port is from 1 to 65535'
  return undefined
}
