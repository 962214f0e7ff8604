import type { ConfigProblem } from '../errors.ts'
import type { SettingName } from './setting-keys.ts'

/** Where settings come from, and how their user calls them. */
export interface SettingsSource {
  /** What was given, as it was; `undefined` is absent. */
  readonly given: ReadonlyMap<SettingName, unknown>
  /** What was seen to be wrong before any value was read, such as unknown keys. */
  readonly problems: readonly ConfigProblem[]
  /** Which key switches slots on. */
  readonly enabledBy: 'concurrency-enabled' | 'etcd-enabled'
  /** Whether passwords lie open here, which deserves a warning. */
  readonly plain: boolean
  /** What the user calls a key. */
  nameOf(name: SettingName): string
}
