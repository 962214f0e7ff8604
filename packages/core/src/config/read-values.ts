import * as z from 'zod/mini'
import type { SettingKey } from './setting-key.ts'
import { type SettingName, type SettingValues, settingKey, settingNames } from './setting-keys.ts'
import type { SettingsSource } from './settings-source.ts'
import { shown } from './shown.ts'

/** What was read of every key by itself, before keys are compared with one another. */
export interface ReadSettings {
  /** Defaults stand in for wrong values; nobody uses them then but for finding more problems. */
  readonly values: SettingValues
  /** Keys with a value, right or wrong. */
  readonly given: ReadonlySet<SettingName>
  /** What is wrong with a value, by key. */
  readonly wrong: ReadonlyMap<SettingName, string>
}

const schema = z.object(Object.fromEntries(settingNames.map((name) => [name, schemaOf(settingKey(name))])))

function schemaOf({ kind, default: absent }: SettingKey) {
  return absent === undefined ? z.optional(kind.schema) : z.prefault(kind.schema, absent)
}

/** Reads every key by its kind. Never throws; finds every problem. */
export function readValues(source: SettingsSource): ReadSettings {
  const given = new Map([...source.given].flatMap(([name, raw]) => givenValue(name, raw)))
  const { data, error } = schema.safeParse(Object.fromEntries(given), {
    error({ path }) {
      const name = path?.[0] as SettingName
      return problemOf(settingKey(name), given.get(name), source.nameOf(name))
    },
  })
  const wrong = new Map<SettingName, string>()
  for (const { path, message } of error?.issues ?? []) {
    const name = path[0] as SettingName
    if (!wrong.has(name)) wrong.set(name, message)
  }
  const right = [...given].filter(([name]) => !wrong.has(name))
  const values = data ?? schema.parse(Object.fromEntries(right))
  return { values: values as SettingValues, given: new Set(given.keys()), wrong }
}

/** None, or one. A template that rendered nothing must not mean localhost; where there is no default, empty can only mean none. */
function givenValue(name: SettingName, raw: unknown): readonly (readonly [SettingName, unknown])[] {
  const key = settingKey(name)
  const value = typeof raw === 'string' && !key.kind.secret ? raw.trim() : raw
  return value === undefined || (value === '' && key.default === undefined) ? [] : [[name, value]]
}

/** What is wrong where the schema of a kind has no message of its own. */
function problemOf(key: SettingKey, value: unknown, name: string): string {
  if (value === '') return `it is empty. Give it a value, or remove it for the default ${key.default}.`
  if (typeof value === 'string') return `${shown(value)} is not ${key.kind.expects}.`
  const type = value === null ? 'null' : `of type ${typeof value}`
  if (typeof value !== 'number' && typeof value !== 'boolean') return `the value is ${type}, not text.`
  return `the value is ${type}, not text. Quote it: ${name}: "${key.kind.secret ? '…' : String(value)}"`
}
