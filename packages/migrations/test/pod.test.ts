import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { Sidecar, SLOTKEEPER, until } from './support/command.ts'
import { mount, newDirectory } from './support/files.ts'
import { newDatabase, newestUrl, program, sql } from './support/servers.ts'

vi.setConfig({ testTimeout: 120_000 })

const folder = new URL('../../../deploy/', import.meta.url)
const text = (path: string) => readFile(new URL(path, folder), 'utf8')
const read = async (path: string) => parse(await text(path))
const run = promisify(execFile)

interface Container {
  readonly name: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
  readonly volumeMounts: readonly { readonly mountPath: string; readonly readOnly?: boolean }[]
  readonly readinessProbe?: { readonly exec?: { readonly command: readonly string[] } }
}

async function containers(): Promise<Record<string, Container>> {
  const { spec } = (await read('kubernetes/postgres-manager/statefulset.yaml')).spec.template
  const all: Container[] = [...spec.initContainers, ...spec.containers]
  return Object.fromEntries(all.map((container) => [container.name, container]))
}

/** What the image starts: the entry point of the container file, with the built command of the checkout in the place of the installed one. */
async function entryPoint(): Promise<string[]> {
  const [, list = ''] = /^ENTRYPOINT (.*)$/m.exec(await text('container/Containerfile')) ?? []
  const [node, main] = JSON.parse(list) as string[]
  expect([node, main]).toEqual(['node', '/app/dist/main.js'])
  return [SLOTKEEPER]
}

test('the manager of the pod, run with its own arguments, variables and mounts, applies the ConfigMap and what it is changed to', async () => {
  const root = await newDirectory()
  const { 'postgres-manager': manager } = await containers()
  const inRoot = (path: string) => join(root, path)
  for (const { mountPath } of manager?.volumeMounts ?? []) await mkdir(inRoot(mountPath), { recursive: true })
  const DATABASE = await newDatabase(newestUrl())
  // Secrets and ConfigMaps are both mounted with a link to the directory of their version.
  await mount(inRoot('/secrets'), 1, { url: DATABASE, password: 'x' })
  const { data } = await read('kubernetes/postgres-manager/configmap.yaml')
  await mount(inRoot('/migrations-configmap'), 1, data)
  expect(await readdir(inRoot('/migrations-configmap'))).toContain('..data')

  const env = Object.fromEntries(
    (manager?.env ?? []).map(({ name, value }) => [
      name,
      value?.replace(/^\//, `${root}/`) ?? 'some-namespace',
    ]),
  )
  const own = {
    HEALTH_PORT: '0',
    MIGRATIONS_APPLIED_FLAG_PATH: inRoot('/tmp/migrations-applied.flag'),
    MIGRATIONS_READY_SENTINEL_PATH: inRoot('/shared/migrations-ready.flag'),
  }
  const sidecar = new Sidecar({ ...env, ...own }, manager?.args, await entryPoint())
  expect((await sidecar.ready()).body).toMatchObject({ total: Object.keys(data).length })
  expect((await sidecar.get('/health')).body.source).toContain('some-namespace/postgres-migrations')
  expect(await readFile(inRoot('/shared/migrations-ready.flag'), 'utf8')).toBe(
    `${Object.keys(data).length}\n`,
  )

  await mount(inRoot('/migrations-configmap'), 2, {
    ...data,
    'gcp_004_more.sql': 'CREATE TABLE gcp.more ();',
  })
  await until(
    async () => (await sql(DATABASE, `SELECT to_regclass('gcp.more')::text AS more`))[0]?.more === 'gcp.more',
  )
  await sidecar.ready()

  // The command by which its README asks why it is not ready.
  const [, code = ''] =
    /postgres-manager -- node -e "(.*)"/.exec(await text('kubernetes/postgres-manager/README.md')) ?? []
  const { stdout } = await run(process.execPath, ['-e', code.replace('1239', await sidecar.port())])
  expect(JSON.parse(stdout)).toMatchObject({ status: 'ready', total: Object.keys(data).length + 1 })
})

test('the directories of the init container are there for the server alone', async () => {
  const root = await newDirectory()
  const { 'create-dirs': init } = await containers()
  const [shell = '', option = '', script = ''] = init?.command ?? []
  const mine = `${process.getuid?.()}:${process.getgid?.()}`
  expect(script).toContain('999:999')
  await run(shell, [option, script.replaceAll('/data', `${root}/data`).replace('999:999', mine)])
  expect((await stat(join(root, 'data/pgdata'))).mode & 0o777).toBe(0o700)
})

test("the server's probe says whether it answers", async () => {
  const { postgres } = await containers()
  const [name, ...args] = postgres?.readinessProbe?.exec?.command ?? []
  expect(name).toBe('pg_isready')
  const { path, env } = program('pg_isready')
  const { port } = new URL(newestUrl())
  await run(path, args, { env: { ...env, PGPORT: port } })
  await expect(run(path, args, { env: { ...env, PGPORT: '1' } })).rejects.toMatchObject({ code: 2 })
})

test('what the container file installs is a command that runs by itself', async () => {
  const [, list = ''] = /^RUN (.*)$/m.exec(await text('container/Containerfile')) ?? []
  const [build, install = ''] = list.split(' && ')
  expect(build).toBe('npm run build') // done before these tests
  const root = await newDirectory()
  await run('sh', ['-c', install.replace('/app', join(root, 'app'))], {
    cwd: new URL('..', folder),
  })
  const command = ['migrate', 'status', '--source', new URL('compose/migrations', folder).pathname]
  const DATABASE_URL = 'postgresql://me@127.0.0.1:1/x'
  const status = run(process.execPath, [join(root, 'app/dist/main.js'), ...command], {
    env: { DATABASE_URL },
  })
  await expect(status).rejects.toMatchObject({ code: 69 })
})

test('the manager of the Compose file, run with its own command, variables and files, is healthy once it is ready', async () => {
  const { 'postgres-manager': service } = (await read('compose/postgres-manager.yaml')).services
  const [[from, to]] = service.volumes.map((volume: string) => volume.split(':'))
  expect(to).toBe(service.environment.MIGRATIONS_PATH)
  const flags = await newDirectory()
  const env = {
    DATABASE_URL: await newDatabase(newestUrl()),
    MIGRATIONS_PATH: new URL(`compose/${from}`, folder).pathname,
    MIGRATIONS_APPLIED_FLAG_PATH: join(flags, 'applied'),
  }
  expect(Object.keys(service.environment).every((name) => name in env)).toBe(true)
  const sidecar = new Sidecar(env, service.command, await entryPoint())
  const [how, program, ...args] = service.healthcheck.test as string[]
  expect([how, program]).toEqual(['CMD', 'node'])
  const port = await sidecar.port()
  const healthy = () =>
    run(
      process.execPath,
      args.map((arg) => arg.replace('1239', port)),
    )
  await sidecar.ready()
  await healthy()
  const empty = new Sidecar({ ...env, MIGRATIONS_PATH: flags }, service.command, await entryPoint())
  const other = await empty.port()
  await expect(
    run(
      process.execPath,
      args.map((arg) => arg.replace('1239', other)),
    ),
  ).rejects.toMatchObject({ code: 1 })
})
