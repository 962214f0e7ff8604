import type { ZodMiniType } from 'zod/mini'

/** A kind of value that settings take, such as a duration: the one place that knows how its text is read. */
export interface ValueKind<T> {
  /** What a right value is, to go on after "is not": `a whole number from 1 to 1000`. A schema that has no message says so. */
  readonly expects: string
  /** The value must never be shown, and is kept to the letter: white space at its ends belongs to it. */
  readonly secret?: true
  /** Reads text that is trimmed (unless `secret`). */
  readonly schema: ZodMiniType<T>
}

/** What is known of one key of the configuration. Its prefix up to the first `-` names its section. */
export interface SettingKey {
  readonly kind: ValueKind<unknown>
  /** What an absent key means, as the user would write it. A key without a default may be absent, or empty, which is the same. */
  readonly default?: string
  /** One sentence for the documentation of the configuration. */
  readonly meaning: string
  /** The environment variable that `parseEnvironment` reads for it. */
  readonly environment?: string
}

/** Some keys, by name. */
export type SettingKeyTable = Readonly<Record<string, SettingKey>>
