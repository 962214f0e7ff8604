import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { orderMigrations } from './order-migrations.ts'

const file = (path: string, content: string | Uint8Array = 'SELECT 1') => ({ path, content })
const order = (...paths: string[]) => orderMigrations(paths.map((path) => file(path)))
const problems = (...files: ReturnType<typeof file>[]) => {
  try {
    orderMigrations(files)
  } catch (error) {
    expect(error).toMatchObject({ code: 'SLOTKEEPER_MIGRATION_SOURCE_INVALID' })
    return String(error).split('\n').slice(1)
  }
  return []
}

test('schemas go by name and numbers by value, however many zeros they have', () => {
  const { migrations, warnings } = order('b/1_x.sql', 'a/010_x.sql', 'a/9_x.sql', 'B/1_x.sql', 'ä/1_x.sql')
  expect(migrations.map(({ path }) => path)).toEqual([
    ...['B/1_x.sql', 'a/9_x.sql', 'a/010_x.sql', 'b/1_x.sql', 'ä/1_x.sql'],
  ])
  expect(warnings).toEqual([])
})

test('a number used twice in a schema is an error, whatever the names; in two schemas it is none', () => {
  expect(problems(file('a/7_x.sql'), file('a/007_y.sql'), file('b/7_z.sql'))).toEqual([
    '  a/7_x.sql and a/007_y.sql have the same number in the same schema.',
  ])
})

test('a number left out is a warning, unless numbers are times', () => {
  expect(order('a/1_x.sql', 'a/3_y.sql').warnings).toEqual([
    'Between a/1_x.sql and a/3_y.sql numbers are left out.',
  ])
  expect(order('a/20250101120000_x.sql', 'a/20250301093000_y.sql').warnings).toEqual([])
})

test.each([
  ...['001_x.sql', 'a/b/001_x.sql', 'a/x.sql', 'a/001x.sql', 'a/001_.sql', '/001_x.sql', 'a/-1_x.sql'],
  'a/1234567890123456_x.sql',
])('%s is no name of a migration', (path) => {
  expect(problems(file(path))).toEqual([`  ${path} is not named <schema>/<number>_<name>.sql.`])
})

test('everything that is wrong is told at once', () => {
  const found = problems(
    file('x.sql'),
    file('a/1_x.sql', Uint8Array.of(0xff, 0xfe)),
    file('a/2_x.sql', 'SELECT \0'),
    ...[file('a/3_x.sql'), file('a/3_y.sql')],
  )
  expect(found).toHaveLength(4)
  expect(found[1]).toBe('  a/1_x.sql is not UTF-8.')
  expect(found[2]).toContain('NUL')
  expect(problems(...Array.from({ length: 50 }, (_, at) => file(`${at}.sql`))).at(-1)).toBe(
    '  … and 30 more.',
  )
})

test('no file at all is an error, unless it is allowed', () => {
  expect(problems()[0]).toContain('no migration at all')
  expect(orderMigrations([], { allowEmpty: true }).migrations).toEqual([])
})

test('the hash is that of the bytes, and a byte order mark is no SQL', () => {
  const content = Buffer.from('\uFEFFSELECT 1')
  const [migration] = orderMigrations([file('a/1_x.sql', content)]).migrations
  expect(migration).toMatchObject({
    sql: 'SELECT 1',
    sha256: createHash('sha256').update(content).digest('hex'),
    inTransaction: true,
  })
})

test.each([
  ['-- slotkeeper:no-transaction\nVACUUM', false],
  ['-- any comment\n\n--slotkeeper:no-transaction\r\nVACUUM', false],
  ['VACUUM;\n-- slotkeeper:no-transaction', true],
  ["SELECT '\n-- slotkeeper:no-transaction\n'", true],
  ['-- slotkeeper:no-transactions\nVACUUM', true],
])('the marker counts above all SQL, and only as it is written (%j)', (content, inTransaction) => {
  expect(orderMigrations([file('a/1_x.sql', content)]).migrations).toMatchObject([{ inTransaction }])
})
