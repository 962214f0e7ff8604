import { readdirSync, readFileSync } from 'node:fs'
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Service } from 'kubernetes-models/v1/Service'
import { expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { readSettings } from '../src/command/settings.ts'
import { configMapSource, migrate } from '../src/index.ts'
import { Sidecar } from './support/command.ts'
import { newDirectory, write } from './support/files.ts'
import { newDatabase, newestUrl } from './support/servers.ts'
import { typeProblems } from './support/type-problems.ts'

vi.setConfig({ testTimeout: 60_000 })

interface Container {
  readonly name: string
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
  readonly volumeMounts: readonly {
    readonly name: string
    readonly mountPath: string
    readonly subPath?: string
  }[]
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number }
}

const folder = new URL('../../../deploy/', import.meta.url)
const read = (path: string) => parse(readFileSync(new URL(path, folder), 'utf8'))
const inKubernetes = (file: string) => read(`kubernetes/postgres-manager/${file}`)

const pod = inKubernetes('statefulset.yaml').spec.template.spec
const manager: Container = pod.containers.find(({ name }: Container) => name === 'postgres-manager')

test('the kustomization names every file', () => {
  const names = readdirSync(new URL('kubernetes/postgres-manager', folder)).filter((name) =>
    name.endsWith('.yaml'),
  )
  expect(['kustomization.yaml', ...inKubernetes('kustomization.yaml').resources].sort()).toEqual(names.sort())
})

test.each([
  ['statefulset.yaml', StatefulSet, 'kubernetes-models/apps/v1/StatefulSet', 'IStatefulSet'],
  ['configmap.yaml', ConfigMap, 'kubernetes-models/v1/ConfigMap', 'IConfigMap'],
  ['service.yaml', Service, 'kubernetes-models/v1/Service', 'IService'],
] as const)(
  '%s is what Kubernetes takes: its schema, and no field that it does not know',
  (file, Model, module, type) => {
    const manifest = inKubernetes(file)
    expect(() => new Model(manifest).validate()).not.toThrow()
    expect(typeProblems(manifest, module, type)).toEqual([])
    // Both can fail.
    const withMetadata = (more: object) => ({ ...manifest, metadata: { ...manifest.metadata, ...more } })
    expect(typeProblems(withMetadata({ nmae: 'x' }), module, type).join()).toContain('nmae')
    expect(() => new Model(withMetadata({ name: 1 })).validate()).toThrow('name must be string')
  },
)

test('every mount has its volume, and the ConfigMap is mounted as a whole where the manager looks', () => {
  const volumes = new Set([...pod.volumes, { name: 'data' }].map(({ name }: { name: string }) => name))
  for (const container of [...pod.containers, ...pod.initContainers])
    for (const { name } of container.volumeMounts) expect(volumes).toContain(name)
  const mounted = manager.volumeMounts.find(({ name }) => name === 'migrations')
  expect(mounted).toEqual({ name: 'migrations', mountPath: variable('CONFIGMAP_PATH'), readOnly: true })
  expect(pod.volumes).toContainEqual({
    name: 'migrations',
    configMap: { name: inKubernetes('configmap.yaml').metadata.name },
  })
})

test('the variables of the manager are ones that it knows, with values that it takes', async () => {
  const directory = await newDirectory()
  await write(directory, { url: 'postgresql://pact:x@localhost:5432/pact_mock_servers' })
  const env = Object.fromEntries(
    (manager.env ?? []).map(({ name, value }) => [name, value ?? 'some-namespace']),
  )
  expect(env.DATABASE_URL_FILE).toBe('/secrets/url')
  const settings = readSettings({ ...env, DATABASE_URL_FILE: `${directory}/url` })
  expect(settings.healthPort).toBe(1239)
})

test('the probes ask what the sidecar answers, on the port that it has by default', async () => {
  const { startupProbe, livenessProbe, readinessProbe } = manager
  const sidecar = new Sidecar({ DATABASE_URL: await newDatabase(newestUrl()), MIGRATIONS_PATH: '/nowhere' })
  for (const probe of [startupProbe, livenessProbe]) {
    expect(await sidecar.get(probe?.httpGet.path ?? '')).toMatchObject({ code: 200 })
    expect(probe?.httpGet.port).toBe(readSettings({}).healthPort)
  }
  expect(readinessProbe?.httpGet.port).toBe(readSettings({}).healthPort)
  expect(await sidecar.get(readinessProbe?.httpGet.path ?? '')).toMatchObject({ code: 503 })
})

test('the migrations of the example apply', async () => {
  const directory = await newDirectory()
  await write(directory, inKubernetes('configmap.yaml').data)
  const { applied } = await migrate({
    connectionString: await newDatabase(newestUrl()),
    source: configMapSource(directory),
  })
  expect(applied.map(({ path }) => path)).toEqual([
    ...['aws/001_create_schema.sql', 'gcp/001_create_schema.sql', 'gcp/002_create_secrets_table.sql'],
    'gcp/003_index_secrets.sql',
  ])
})

test('the Compose file asks the same endpoint, of a container that serves', () => {
  const service = read('compose/postgres-manager.yaml').services['postgres-manager']
  expect(service.command).toEqual(manager.args)
  expect(service.healthcheck.test.at(-1)).toContain(
    `http://127.0.0.1:1239${manager.readinessProbe?.httpGet.path}`,
  )
  expect(() =>
    readSettings({ ...service.environment, DATABASE_URL: 'postgresql://pact:x@postgres:5432/x' }),
  ).not.toThrow()
})

function variable(name: string): string | undefined {
  return manager.env?.find((one) => one.name === name)?.value
}
