import { InvalidArgumentError } from '../errors.ts'
import { makeSettings } from './make-settings.ts'
import { type SettingName, settingKey, settingNames } from './setting-keys.ts'
import type { Settings } from './settings.ts'

/**
 * Reads the environment variables of the etcd integration into Settings: `PAC_ETCD_ENABLED` (which enables concurrency as well),
 * `PAC_ETCD_MODE`, `ETCD_ENDPOINTS`, `ETCD_DIAL_TIMEOUT`, `ETCD_USERNAME`, `ETCD_PASSWORD`, `ETCD_CERT_FILE`, `ETCD_KEY_FILE`,
 * `ETCD_CA_FILE`, `ETCD_SERVER_NAME`. They follow the rules of the keys that they stand for (see `parseSettings`); everything else
 * has its default.
 *
 * Variables not named here are ignored, whatever their prefix: etcd itself has many, and Kubernetes makes more for every Service.
 * `PGPASSWORD` is no setting either: `createManager` reads it.
 * @example
 * const settings = parseEnvironment(process.env)
 * @throws InvalidConfigError (`SLOTKEEPER_INVALID_CONFIG`) with every problem there is, by variable, no secret among them
 */
export function parseEnvironment(env: Readonly<Record<string, string | undefined>>): Settings {
  if (typeof env !== 'object' || env === null)
    throw new InvalidArgumentError('parseEnvironment takes an object of variables, such as process.env.')
  const given = new Map<SettingName, unknown>()
  for (const name of settingNames) {
    const variable = settingKey(name).environment
    if (variable !== undefined && Object.hasOwn(env, variable)) given.set(name, env[variable])
  }
  return makeSettings({
    given,
    problems: [],
    enabledBy: 'etcd-enabled',
    plain: false,
    nameOf: (name) => settingKey(name).environment ?? name,
  })
}
