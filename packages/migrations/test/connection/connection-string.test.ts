import { expect, test, vi } from 'vitest'
import { addressOf, connectionOptions } from '../../src/connection.ts'

/** What pg is given for a connection string, but for what is the same every time; the password as it is sent. */
function partsOf(text: string) {
  const { host, port, database, user, password, ssl, connectionTimeoutMillis, options } =
    connectionOptions(text)
  const sent = typeof password === 'function' ? password() : password
  return { host, port, database, user, password: sent, ssl, connectionTimeoutMillis, options }
}

test('every part of a connection string may hold any character, percent-encoded', () => {
  const odd = `a b'"@%/:?#&=+\\ü漢😀`
  const e = encodeURIComponent(odd)
  expect(partsOf(`postgresql://${e}:${e}@db.example:6543/${e}`)).toMatchObject({
    ...{ host: 'db.example', port: 6543, database: odd, user: odd, password: odd },
  })
  expect(partsOf(`postgresql:///?user=${e}&password=${e}&dbname=${e}`)).toMatchObject({
    ...{ host: 'localhost', database: odd, user: odd, password: odd },
  })
})

test.for([
  ['postgres://u@h/d', { host: 'h', port: 5432, user: 'u', database: 'd', password: '', ssl: false }],
  ['POSTGRESQL://u@h', { host: 'h', database: 'u' }],
  ['postgres://u@[::1]:5433/d', { host: '::1', port: 5433 }],
  ['postgres://u@/d?host=/var/run/postgresql', { host: '/var/run/postgresql', database: 'd', user: 'u' }],
  ['postgres://u@%2Fvar%2Frun/d', { host: '/var/run' }],
  ['postgres://u:a+b@h/d?password=c+d', { password: 'c+d' }],
  ['postgres://u@h/d?connect_timeout=3', { connectionTimeoutMillis: 3000 }],
  ['postgres://u@h/d?options=-c%20lock_timeout%3D1s', { options: '-c lock_timeout=1s' }],
] as const)('%s is read as libpq reads it', ([text, parts]) => {
  expect(partsOf(text)).toMatchObject(parts)
})

test.for([
  ['mysql://u:geheim@h/d', 'postgresql://'],
  ['host=h password=geheim', 'postgresql://'],
  ['postgres://u:ge/heim@h/d', '%2F'],
  ['postgres://u:geheim@h1:1,h2:2/d', 'one host'],
  ['postgres://u:ge#heim@h/d', '%'],
  ['postgres://u:geheim@h/d#x', '%23'],
  ['postgres://u:geheim%zz@h/d', 'password'],
  ['postgres://u:geheim@h:99999/d', 'one host'],
  ['postgres://u:geheim@h/d?port=x', 'port'],
  ['postgres://u:geheim@h/d?connect_timeout=0', 'connect_timeout'],
  ['postgres://u:geheim@h/d?ssl_mode=require', 'Did you mean sslmode?'],
  ['postgres://u:geheim@h/d?sslmode=prefer', 'disable, require, verify-ca or verify-full'],
  ['postgres://u:geheim@h/d?sslrootcert=/ca.pem', 'sslmode'],
  ['postgres://u:geheim@h/d?sslmode=disable&sslcert=/c.pem&sslkey=/k.pem', 'sslmode=disable'],
  ['postgres://u:geheim@h/d?sslmode=require&sslrootcert=/ca.pem', 'verify-ca'],
  ['postgres://u:geheim@h/d?sslmode=require&sslcert=/c.pem', 'both or neither'],
  ['postgres://u:geheim%00x@h/d', 'NUL'],
  ['postgres://u%00x:geheim@h/d', 'NUL'],
] as const)('%s is refused with the reason, and without the password', ([text, reason]) => {
  const read = () => partsOf(text)
  expect(read).toThrow(expect.objectContaining({ code: 'SLOTKEEPER_INVALID_ARGUMENT' }))
  expect(read).toThrow(reason)
  expect(read).not.toThrow('geheim')
})

test('what a connection leaves out comes from the environment, what it says goes before it', () => {
  vi.stubEnv('PGHOST', 'env-host')
  vi.stubEnv('PGPORT', '6000')
  vi.stubEnv('PGUSER', 'env-user')
  vi.stubEnv('PGDATABASE', 'env-database')
  vi.stubEnv('PGPASSWORD', 'env-password')
  vi.stubEnv('PGSSLMODE', 'verify-full')
  expect(partsOf('postgres://')).toMatchObject({
    ...{ host: 'env-host', port: 6000, user: 'env-user', database: 'env-database', password: 'env-password' },
    ssl: { rejectUnauthorized: true },
  })
  expect(partsOf('postgres://u:p@h:1/d?sslmode=disable')).toMatchObject({
    ...{ host: 'h', port: 1, user: 'u', database: 'd', password: 'p', ssl: false },
  })
  vi.stubEnv('PGSSLMODE', 'sometimes')
  expect(() => partsOf('postgres://')).toThrow('PGSSLMODE')
})

test('an address names a connection again, without its secrets', () => {
  const address = addressOf('postgres://ü@[::1]:5433/a%2Fb?password=geheim&sslmode=require')
  expect(address).toBe('postgresql://%C3%BC@[::1]:5433/a%2Fb')
  expect(partsOf(address)).toMatchObject({ host: '::1', port: 5433, user: 'ü', database: 'a/b' })
  expect(addressOf({ host: '/var/run', username: 'u' })).toBe('postgresql://u@%2Fvar%2Frun:5432/u')
})

test('parts go before a connection string that stands beside them', () => {
  const connectionString = 'postgres://u:p@h/d?sslmode=require'
  const ssl = { mode: 'disable' } as const
  expect(connectionOptions({ connectionString, database: 'other', ssl })).toMatchObject({
    ...{ host: 'h', user: 'u', database: 'other', ssl: false },
  })
})

test('parts are taken as they are, and refused where they cannot be sent', () => {
  expect(connectionOptions({ host: 'h', username: "o'brien; --", database: '%41' })).toMatchObject({
    ...{ user: "o'brien; --", database: '%41', connectionTimeoutMillis: 30_000 },
  })
  expect(() => connectionOptions({ username: 'u\0database\0other' })).toThrow('username')
  expect(() => connectionOptions({ username: 'u', port: 0 })).toThrow('port')
})
