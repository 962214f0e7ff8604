import { concurrencyKeys } from './concurrency-keys.ts'
import { etcdKeys } from './etcd-keys.ts'
import { localKeys } from './local-keys.ts'
import { postgresqlKeys } from './postgresql-keys.ts'
import type { SettingKey, ValueKind } from './setting-key.ts'

/** Every key there is: the one source of names, defaults, rules and documentation. */
const settingKeys = { ...concurrencyKeys, ...etcdKeys, ...postgresqlKeys, ...localKeys } as const

type Keys = typeof settingKeys
type ValueOf<K> = K extends { readonly kind: ValueKind<infer T> } ? T : never

/** The name of a key. */
export type SettingName = keyof Keys

/** The value of every key, defaults filled in. */
export type SettingValues = {
  readonly [N in SettingName]:
    | ValueOf<Keys[N]>
    | (Keys[N] extends { readonly default: string } ? never : undefined)
}

/** The names of all keys, in the order of the documentation. */
export const settingNames = Object.keys(settingKeys) as readonly SettingName[]

/** A key by its name. */
export function settingKey(name: SettingName): SettingKey {
  return settingKeys[name]
}

/** The section of a key: what stands before its first `-`. */
export function sectionOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf('-')))
}
