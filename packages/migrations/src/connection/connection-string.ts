import { InvalidArgumentError, nearestName } from '@slotkeeper/core'
import type { PostgresServer } from './postgres-server.ts'
import { sslSettings } from './ssl-settings.ts'

/** The parameters that a connection string may have behind `?`, by their names of libpq. */
const PARAMETERS = [
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'connect_timeout',
  'application_name',
  'options',
] as const
type Parameter = (typeof PARAMETERS)[number]

const LIKE = 'postgresql://user@host:5432/database'
/** `postgresql://user@/database` is right, and the parser of URLs wants a host behind a user. */
const USER_WITHOUT_HOST = /^([a-z]+:\/\/[^/?#]*@)(?=[/?]|$)/i

/**
 * Takes a connection string apart, as libpq does: parts are percent-encoded, parameters go before them. What it does not have stays
 * absent.
 * @throws InvalidArgumentError; it repeats nothing of the string but the names of parameters
 */
export function parseConnectionString(text: string): PostgresServer {
  const url = urlOf(text)
  const given = parametersOf(url)
  const ssl = sslSettings('The connectionString', {
    mode: given.sslmode,
    rootCert: given.sslrootcert,
    cert: given.sslcert,
    key: given.sslkey,
  })
  const host = USER_WITHOUT_HOST.test(text) ? '' : decoded(url.hostname, 'host').replace(/^\[(.+)\]$/, '$1')
  const parts: { readonly [name in keyof PostgresServer]: PostgresServer[name] | undefined } = {
    host: given.host || host,
    port: wholeNumber(given.port || url.port, 'port', 65_535),
    database: given.dbname || decoded(url.pathname.slice(1), 'database'),
    username: given.user || decoded(url.username, 'user'),
    password: given.password || decoded(url.password, 'password'),
    connectionTimeoutMs: milliseconds(wholeNumber(given.connect_timeout, 'connect_timeout', 86_400)),
    applicationName: given.application_name,
    options: given.options,
    ssl,
  }
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined && part !== ''))
}

function urlOf(text: string): URL {
  if (!/^postgres(ql)?:\/\//i.test(text))
    throw new InvalidArgumentError(`The connectionString does not begin with postgresql://, as in ${LIKE}.`)
  let url: URL
  try {
    url = new URL(text.replace(USER_WITHOUT_HOST, '$1none'))
  } catch {
    // The parser's own message would hold the password.
    throw new InvalidArgumentError(
      `The connectionString is no URL like ${LIKE}. Name one host, and percent-encode what is special in a part: / is %2F, @ is %40.`,
    )
  }
  if (url.hash !== '')
    throw new InvalidArgumentError(
      'The connectionString has a # in it. Write %23 where it belongs to a part.',
    )
  return url
}

/** By hand, since a URL's own reader makes a space of every +. */
function parametersOf(url: URL): Partial<Record<Parameter, string>> {
  const given: Partial<Record<Parameter, string>> = {}
  for (const pair of url.search.slice(1).split('&')) {
    if (pair === '') continue
    const [name = '', ...value] = pair.split('=')
    if (!isParameter(name))
      throw new InvalidArgumentError(
        `The connectionString has a parameter ${JSON.stringify(name.slice(0, 60))}, and there is none of that name. Did you mean ${nearestName(name.slice(0, 60), PARAMETERS)}?`,
      )
    given[name] = decoded(value.join('='), name)
  }
  return given
}

function isParameter(name: string): name is Parameter {
  return (PARAMETERS as readonly string[]).includes(name)
}

function decoded(text: string, part: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new InvalidArgumentError(
      `The ${part} in the connectionString has a % that begins no character. Write %25 for a %.`,
    )
  }
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}

function wholeNumber(text: string | undefined, name: string, most: number): number | undefined {
  if (text === undefined || text === '') return undefined
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= 1 && number <= most) return number
  throw new InvalidArgumentError(
    `The ${name} in the connectionString must be a whole number from 1 to ${most}.`,
  )
}
