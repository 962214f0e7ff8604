import { sectionOf, settingKey, settingNames } from './setting-keys.ts'

/** One key, as the documentation of the configuration shows it. */
export interface SettingReference {
  readonly key: string
  /** `concurrency`, or the driver that the key is for. */
  readonly section: string
  /** The default as the user would write it; absent where there is none. */
  readonly default?: string
  /** What a right value is. */
  readonly expects: string
  readonly meaning: string
  /** The environment variable that `parseEnvironment` reads for it; absent where there is none. */
  readonly environment?: string
  readonly secret: boolean
}

/** Every key of the configuration, for the generator of its documentation. */
export function settingReferences(): readonly SettingReference[] {
  return settingNames.map((name) => {
    const { kind, meaning, ...rest } = settingKey(name)
    return {
      ...rest,
      key: name,
      section: sectionOf(name),
      expects: kind.expects,
      meaning,
      secret: kind.secret === true,
    }
  })
}
