import type { ConfigProblem } from '../errors.ts'
import type { ReadSettings } from './read-values.ts'
import { selectDriver } from './select-driver.ts'
import type { SettingName } from './setting-keys.ts'
import type { DriverName } from './settings.ts'
import type { SettingsSource } from './settings-source.ts'
import { shown } from './shown.ts'
import { usesTls } from './uses-tls.ts'

const SELECTING = ['concurrency-driver', 'etcd-enabled', 'etcd-mode'] as const satisfies SettingName[]

/** Keys that make sense together or not at all, by driver. */
const TOGETHER: Readonly<Record<DriverName, readonly (readonly [SettingName, SettingName])[]>> = {
  etcd: [
    ['etcd-username', 'etcd-password'],
    ['etcd-cert-file', 'etcd-key-file'],
  ],
  postgresql: [['postgresql-ssl-cert', 'postgresql-ssl-key']],
  sqlite: [],
  memory: [],
}

/**
 * What is wrong between the keys of the selected driver. It counts also while concurrency is disabled, so that enabling it meets
 * no new problem. A driver that is not selected may be half configured. While the selection itself is wrong, nothing is said.
 */
export function driverProblems(read: ReadSettings, source: SettingsSource): readonly ConfigProblem[] {
  if (SELECTING.some((name) => read.wrong.has(name))) return []
  const { driver } = selectDriver(read.values)
  const problems: ConfigProblem[] = []
  const report = (name: SettingName, message: string) => problems.push({ key: source.nameOf(name), message })
  for (const [one, other] of TOGETHER[driver]) {
    const needs = (missing: SettingName) =>
      `it needs ${source.nameOf(missing)} beside it: give both or neither.`
    if (read.given.has(one) && !read.given.has(other)) report(one, needs(other))
    if (read.given.has(other) && !read.given.has(one)) report(other, needs(one))
  }
  if (driver === 'sqlite' && !read.given.has('sqlite-path'))
    report('sqlite-path', 'it is missing. The SQLite driver needs the path of its database file.')
  if (driver === 'etcd' && !read.wrong.has('etcd-endpoints')) {
    const problem = endpointsProblem(read)
    if (problem !== undefined) report('etcd-endpoints', problem)
  }
  return problems
}

function endpointsProblem({ values }: ReadSettings): string | undefined {
  const endpoints = values['etcd-endpoints']
  if (endpoints.length === 0)
    return 'it is empty. The etcd driver needs an endpoint at least, such as localhost:2379.'
  // Half-used TLS settings are worse than none: everybody believes that the connection is encrypted.
  const plain = usesTls(values) ? endpoints.find((endpoint) => endpoint.startsWith('http://')) : undefined
  if (plain === undefined) return undefined
  return `${shown(plain)} is not encrypted although TLS is configured. Write https:// or no scheme, for every endpoint.`
}
