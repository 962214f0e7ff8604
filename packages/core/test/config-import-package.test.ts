import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** An application somewhere else on the disk, so that core cannot see its packages, as with pnpm. Node.js runs it, not Vite. */
let application: string
const nodeRunsTypeScript = Boolean((process.features as { typescript?: unknown }).typescript)

beforeAll(async () => {
  application = await mkdtemp(join(tmpdir(), 'slotkeeper-application-'))
  const source = (name: string) => JSON.stringify(new URL(`../src/config/${name}`, import.meta.url))
  const main = `
    import { importPackage } from ${source('import-package.ts')}
    import { isPackageNotFound } from ${source('package-not-found.ts')}
    const specifier = process.argv[2]
    try {
      console.log(JSON.stringify(Object.keys(await importPackage(specifier))))
    } catch (error) {
      console.log(isPackageNotFound(error, specifier) ? 'absent' : error.message)
    }`
  await writeFile(join(application, 'main.mjs'), main)
  await install('driver-good', 'export const goodDriver = () => ({})')
  await install('driver-needy', "import 'no-such-client'")
  await install('driver-torn', undefined)
  await install('driver-throwing', "throw new Error('bad binary')")
})

afterAll(() => rm(application, { recursive: true }))

async function install(name: string, code: string | undefined): Promise<void> {
  const folder = join(application, 'node_modules', '@slotkeeper', name)
  await mkdir(folder, { recursive: true })
  const manifest = {
    name: `@slotkeeper/${name}`,
    type: 'module',
    exports: { '.': { default: './index.js' } },
  }
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
  if (code !== undefined) await writeFile(join(folder, 'index.js'), code)
}

async function imported(specifier: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(application, 'main.mjs'), specifier], {
    cwd: '/',
  })
  return stdout.trim()
}

test.runIf(nodeRunsTypeScript).each([
  ['a package that only the application sees is found', 'driver-good', '["goodDriver"]'],
  ['an absent package is recognised as absent', 'driver-absent', 'absent'],
  ['an absent package of a package is not', 'driver-needy', "Cannot find package 'no-such-client'"],
  ['an absent file of a package is not', 'driver-torn', 'Cannot find module'],
  ['a package that throws is not', 'driver-throwing', 'bad binary'],
])('%s', async (_, name, outcome) => {
  expect((await imported(`@slotkeeper/${name}`)).startsWith(outcome)).toBe(true)
})
