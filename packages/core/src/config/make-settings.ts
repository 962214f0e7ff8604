import { InvalidConfigError } from '../errors.ts'
import { driverProblems } from './driver-rules.ts'
import { dropAbsent } from './drop-absent.ts'
import { findWarnings } from './find-warnings.ts'
import { readValues } from './read-values.ts'
import { selectDriver } from './select-driver.ts'
import type { SettingValues } from './setting-keys.ts'
import type { EtcdSettings, PostgresqlSettings, Settings } from './settings.ts'
import type { SettingsSource } from './settings-source.ts'
import { usesTls } from './uses-tls.ts'

/** Checks a whole source and makes Settings of it. @throws InvalidConfigError with every problem there is */
export function makeSettings(source: SettingsSource): Settings {
  const read = readValues(source)
  const wrong = Array.from(read.wrong, ([name, message]) => ({ key: source.nameOf(name), message }))
  const problems = [...source.problems, ...wrong, ...driverProblems(read, source)]
  if (problems.length > 0) throw new InvalidConfigError(problems)
  const { values } = read
  return Object.freeze({
    enabled: values[source.enabledBy],
    driver: selectDriver(values).driver,
    holderTtlMs: values['concurrency-holder-ttl'],
    claimTimeoutMs: values['concurrency-claim-timeout'],
    callTimeoutMs: values['concurrency-call-timeout'],
    logLevel: values['concurrency-log-level'],
    etcd: etcdSettings(values),
    postgresql: postgresqlSettings(values),
    memory: Object.freeze({ leaseTtlMs: values['memory-lease-ttl'] }),
    sqlite: dropAbsent({ path: values['sqlite-path'], leaseTtlMs: values['sqlite-lease-ttl'] }),
    warnings: Object.freeze(findWarnings(read, source).map((warning) => Object.freeze(warning))),
  })
}

function etcdSettings(values: SettingValues): EtcdSettings {
  const tls = dropAbsent({
    caFile: values['etcd-ca-file'],
    certFile: values['etcd-cert-file'],
    keyFile: values['etcd-key-file'],
    serverName: values['etcd-server-name'],
  })
  return dropAbsent({
    endpoints: Object.freeze([...values['etcd-endpoints']]),
    dialTimeoutMs: values['etcd-dial-timeout'],
    username: values['etcd-username'],
    password: values['etcd-password'],
    tls: usesTls(values) ? tls : undefined,
    leaseTtlMs: values['etcd-lease-ttl'],
  })
}

function postgresqlSettings(values: SettingValues): PostgresqlSettings {
  return dropAbsent({
    host: values['postgresql-host'],
    port: values['postgresql-port'],
    database: values['postgresql-database'],
    username: values['postgresql-username'],
    password: values['postgresql-password'],
    passwordFile: values['postgresql-password-file'],
    ssl: dropAbsent({
      mode: values['postgresql-ssl-mode'],
      rootCert: values['postgresql-ssl-root-cert'],
      cert: values['postgresql-ssl-cert'],
      key: values['postgresql-ssl-key'],
    }),
    maxConnections: values['postgresql-max-connections'],
    schema: values['postgresql-schema'],
    connectionTimeoutMs: values['postgresql-connection-timeout'],
    leaseTtlMs: values['postgresql-lease-ttl'],
  })
}
