import { createHash } from 'node:crypto'

/** A file as a source gives it. */
export interface MigrationFile {
  /** `<schema>/<number>_<name>.sql`, such as `gcp/001_create_schema.sql`. */
  readonly path: string
  /** SQL, as text or as UTF-8. */
  readonly content: string | Uint8Array
}

/** A file that was read, understood and put in its place. */
export interface Migration {
  /** Its path again, which is its name in every message. */
  readonly path: string
  /** The group of files that it belongs to, each with its own numbers; most often named for the schema that they make. */
  readonly schema: string
  readonly number: number
  /** Without schema, number and `.sql`. */
  readonly name: string
  readonly sql: string
  /** Of the file's bytes, in hexadecimal, as `sha256sum` tells it. */
  readonly sha256: string
  /** False for a file that begins with the line `-- slotkeeper:no-transaction`. */
  readonly inTransaction: boolean
}

const PATH = /^([^/]+)\/(\d{1,15})_([^/]+)\.sql$/
const NO_TRANSACTION = /^--[ \t]*slotkeeper:no-transaction[ \t]*\r?$/
const BYTE_ORDER_MARK = '\uFEFF'
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads one file, or says in one sentence what is wrong with it. */
export function readMigration({ path, content }: MigrationFile): Migration | string {
  const [, schema, number, name] = PATH.exec(path) ?? []
  if (schema === undefined || number === undefined || name === undefined)
    return `${path} is not named <schema>/<number>_<name>.sql.`
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    return `${path} is not UTF-8.`
  }
  if (text.includes('\0')) return `${path} contains a NUL character, which PostgreSQL does not take.`
  const sql = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text
  return {
    path,
    schema,
    number: Number(number),
    name,
    sql,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    inTransaction: !leadingComments(sql).some((line) => NO_TRANSACTION.test(line)),
  }
}

/** The marker counts only above all SQL: below it could be part of a text or of a function. */
function leadingComments(sql: string): string[] {
  const lines: string[] = []
  for (const line of sql.split('\n', 100)) {
    if (line.trim() !== '' && !line.startsWith('--')) break
    lines.push(line)
  }
  return lines
}
