import type { SettingValues } from './setting-keys.ts'

/** Whether etcd is reached by TLS: a TLS key is there, or an endpoint says so. */
export function usesTls(values: SettingValues): boolean {
  const files =
    values['etcd-cert-file'] ??
    values['etcd-key-file'] ??
    values['etcd-ca-file'] ??
    values['etcd-server-name']
  return files !== undefined || values['etcd-endpoints'].some((endpoint) => endpoint.startsWith('https://'))
}
