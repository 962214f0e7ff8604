import type { ReadSettings } from './read-values.ts'
import { selectDriver } from './select-driver.ts'
import type { SettingName } from './setting-keys.ts'
import type { SettingsWarning } from './settings.ts'
import type { SettingsSource } from './settings-source.ts'

/** What works and should not stay so. */
export function findWarnings(read: ReadSettings, source: SettingsSource): readonly SettingsWarning[] {
  const warnings: SettingsWarning[] = []
  const warn = (name: SettingName, message: string) => warnings.push({ key: source.nameOf(name), message })
  warnOfSwitches(read, source, warn)
  warnOfPasswords(read, source, warn)
  warnOfUnusedCertificates(read, warn)
  return warnings
}

type Warn = (name: SettingName, message: string) => void

function warnOfSwitches({ values, given }: ReadSettings, source: SettingsSource, warn: Warn): void {
  const { driver, mocked } = selectDriver(values)
  if (mocked)
    warn(
      'etcd-mode',
      `it is ${values['etcd-mode']}, so etcd is NOT used: slots are kept in this process alone, no other process sees them, and a restart forgets them. Never run production so.`,
    )
  if (source.enabledBy === 'concurrency-enabled' && values['etcd-enabled']) {
    if (!given.has('concurrency-enabled'))
      warn(
        'etcd-enabled',
        'it is true and enables nothing by itself: concurrency-enabled is what keeps slots.',
      )
    else if (driver !== 'etcd' && !mocked)
      warn('etcd-enabled', `it has no effect: concurrency-driver is ${driver}.`)
  }
}

function warnOfPasswords({ values, given }: ReadSettings, source: SettingsSource, warn: Warn): void {
  if (source.plain && given.has('postgresql-password'))
    warn(
      'postgresql-password',
      'the password lies open in the configuration. Mount a Secret and name its file in postgresql-password-file, or set PGPASSWORD.',
    )
  if (source.plain && given.has('etcd-password'))
    warn(
      'etcd-password',
      'the password lies open in the configuration. A client certificate from a mounted Secret (etcd-cert-file, etcd-key-file) needs none.',
    )
  for (const name of ['postgresql-password', 'etcd-password'] as const)
    if (values[name]?.reveal().endsWith('\n'))
      warn(name, 'the password ends with a line break, which counts as part of it.')
  if (given.has('postgresql-password') && given.has('postgresql-password-file'))
    warn('postgresql-password', 'it has no effect: postgresql-password-file goes before it.')
}

function warnOfUnusedCertificates({ values, given }: ReadSettings, warn: Warn): void {
  if (selectDriver(values).driver !== 'postgresql') return
  const mode = values['postgresql-ssl-mode']
  if (mode === 'disable')
    for (const name of ['postgresql-ssl-root-cert', 'postgresql-ssl-cert', 'postgresql-ssl-key'] as const)
      if (given.has(name))
        warn(name, 'it has no effect: postgresql-ssl-mode is disable, and nothing is encrypted.')
  if (mode === 'require' && given.has('postgresql-ssl-root-cert'))
    warn(
      'postgresql-ssl-root-cert',
      'it has no effect: postgresql-ssl-mode is require, which verifies nothing. Use verify-ca or verify-full.',
    )
}
