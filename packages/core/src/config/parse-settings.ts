import { type ConfigProblem, InvalidArgumentError } from '../errors.ts'
import { makeSettings } from './make-settings.ts'
import { nearestName } from './nearest-name.ts'
import { type SettingName, sectionOf, settingNames } from './setting-keys.ts'
import type { Settings } from './settings.ts'

const known: ReadonlySet<string> = new Set(settingNames)
const sections: ReadonlySet<string> = new Set(settingNames.map(sectionOf))
/** Kubernetes allows no longer key; whoever sends one gets no long computation for it. */
const LONGEST_KEY = 253

/**
 * Reads a ConfigMap's `data` into Settings. All values are text; white space around them does not count, except in passwords.
 * An empty value is none where the key has no default, and a mistake where it has one.
 *
 * A key that begins with `concurrency-`, `etcd-`, `postgresql-`, `memory-` or `sqlite-` and is not known is a mistake too, and the
 * nearest known key is named. Any other key belongs to somebody else and is ignored.
 * @example
 * const settings = parseSettings({ 'concurrency-enabled': 'true', 'concurrency-driver': 'sqlite', 'sqlite-path': '/var/slots.db' })
 * @throws InvalidConfigError (`SLOTKEEPER_INVALID_CONFIG`) with every problem there is, by key, no secret among them
 * @throws InvalidArgumentError when `data` is not an object of keys and texts at all
 */
export function parseSettings(data: Readonly<Record<string, string>>): Settings {
  checkData(data)
  const given = new Map<SettingName, unknown>()
  const problems: ConfigProblem[] = []
  for (const [key, value] of Object.entries(data)) {
    if (isKnown(key)) given.set(key, value)
    else if (sections.has(sectionOf(key.toLowerCase()))) problems.push({ key, message: unknownKey(key) })
  }
  return makeSettings({
    given,
    problems,
    enabledBy: 'concurrency-enabled',
    plain: true,
    nameOf: (name) => name,
  })
}

function isKnown(key: string): key is SettingName {
  return known.has(key)
}

function unknownKey(key: string): string {
  const nearest = nearestName(key.slice(0, LONGEST_KEY), settingNames as [SettingName, ...SettingName[]])
  return `there is no such key. Did you mean ${nearest}?`
}

/** Silence here would be dear: a whole ConfigMap in the place of its data would mean all defaults. */
function checkData(data: unknown): void {
  if (typeof data !== 'object' || data === null || Symbol.iterator in data)
    throw new InvalidArgumentError(
      'parseSettings takes an object of keys and texts, such as the data of a ConfigMap.',
    )
  const inner = (data as Record<string, unknown>).data
  if (typeof inner === 'object' && inner !== null)
    throw new InvalidArgumentError(
      'parseSettings takes the data of a ConfigMap, and this is a whole one: pass its `data`.',
    )
}
