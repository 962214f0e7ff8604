import { ExitError } from '../exit-error.ts'

/** A store in etcd, as a command line names it. */
export interface EtcdAddress {
  readonly endpoints: readonly string[]
  readonly prefix: string
  readonly username?: string
  readonly password?: string
  readonly tls?: {
    readonly caFile?: string
    readonly certFile?: string
    readonly keyFile?: string
    readonly serverName?: string
  }
  /** How to name it again, without the password. */
  readonly name: string
}

const HOW = 'Write etcd://HOST:PORT,HOST:PORT/PREFIX?ca-file=PATH.'
const PARAMETERS = {
  'ca-file': 'caFile',
  'cert-file': 'certFile',
  'key-file': 'keyFile',
  'server-name': 'serverName',
} as const

/**
 * Reads `etcd://[USER[:PASSWORD]@]HOST[:PORT][,…][/PREFIX][?tls=true&ca-file=…&cert-file=…&key-file=…&server-name=…]`. A port that is not
 * said is 2379, a prefix that is not said `/slotkeeper`, and without a password in the address `ETCD_PASSWORD` is the user's. Any
 * parameter but `tls=false` asks for TLS.
 * @throws ExitError for a text that is no such address; it repeats no more of the text than the name of a parameter
 */
export function readEtcdAddress(text: string, where: string, env: NodeJS.ProcessEnv): EtcdAddress {
  const [, user, hosts = '', path = '', query = ''] =
    /^etcd:\/\/(?:([^/?#]*)@)?([^/?#@]+)((?:\/[^?#]*)?)(?:\?([^#]*))?$/i.exec(text) ?? []
  const endpoints = hosts.split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:2379`))
  if (!endpoints.every((endpoint) => /^(\[[0-9a-f:.]+\]|[^:[\]\s]+):\d+$/i.test(endpoint)))
    throw new ExitError(`${where} is no address of an etcd. ${HOW}`)
  const prefix = decoded(path.replace(/\/+$/, ''), where) || '/slotkeeper'
  const [name, password] = credentials(user, where, env)
  const tls = readParameters(query, where)
  const scheme = tls === undefined ? 'http' : 'https'
  return {
    endpoints: endpoints.map((endpoint) => `${scheme}://${endpoint}`),
    prefix,
    ...(name === undefined ? {} : { username: name }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    name: `etcd://${name === undefined ? '' : `${encodeURIComponent(name)}@`}${endpoints.join(',')}${encodeURI(prefix)}${query === '' ? '' : `?${query}`}`,
  }
}

function credentials(
  user: string | undefined,
  where: string,
  env: NodeJS.ProcessEnv,
): (string | undefined)[] {
  if (user === undefined) return []
  const colon = user.indexOf(':')
  const name = decoded(colon < 0 ? user : user.slice(0, colon), where)
  const password = colon < 0 ? env.ETCD_PASSWORD : decoded(user.slice(colon + 1), where)
  if (!name || !password)
    throw new ExitError(`${where} names a user of etcd without a password. Set ETCD_PASSWORD.`)
  return [name, password]
}

function readParameters(query: string, where: string): EtcdAddress['tls'] {
  if (query === '') return undefined
  const tls: Record<string, string> = {}
  let isSecure = false
  for (const [name, value] of new URLSearchParams(query)) {
    const option = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name as keyof typeof PARAMETERS] : undefined
    if (option !== undefined && value !== '') {
      tls[option] = value
      isSecure = true
    } else if (name === 'tls' && (value === 'true' || value === 'false')) isSecure ||= value === 'true'
    else
      throw new ExitError(
        `${where} has a parameter that cannot be used. There are tls=true, ${Object.keys(PARAMETERS).join(', ')}.`,
      )
  }
  return isSecure ? tls : undefined
}

function decoded(text: string, where: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ExitError(`${where} holds a % that begins no character. ${HOW}`)
  }
}
