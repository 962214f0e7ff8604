import type { SettingValues } from './setting-keys.ts'
import type { DriverName } from './settings.ts'

/** Which driver is used, and whether it stands in for etcd. */
export interface SelectedDriver {
  readonly driver: DriverName
  /** `etcd-mode` put the memory driver in etcd's place. */
  readonly mocked: boolean
}

/** `concurrency-driver`; absent, etcd if `etcd-enabled`, else memory. In etcd's place, `etcd-mode` may put memory. */
export function selectDriver(values: SettingValues): SelectedDriver {
  const driver = values['concurrency-driver'] ?? (values['etcd-enabled'] ? 'etcd' : 'memory')
  const mode = values['etcd-mode']
  const mocked = driver === 'etcd' && mode !== undefined && mode !== 'etcd'
  return { driver: mocked ? 'memory' : driver, mocked }
}
