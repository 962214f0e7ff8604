// What users will install: each package packed, then checked by publint and by "are the types wrong".
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packages } from './build.mjs'
import { mustRun, root } from './run.mjs'
import { pnpm } from './toolchain.mjs'

const publint = join(root, 'node_modules', 'publint', 'src', 'cli.js')
const attw = join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')

export async function checkPackages(env) {
  for (const [name, { folder, manifest }] of packages()) {
    const temporary = mkdtempSync(join(tmpdir(), 'slotkeeper-pack-'))
    try {
      await mustRun(`Packing ${name}`, 'node', [pnpm, 'pack', '--pack-destination', temporary], {
        env,
        cwd: join(root, folder),
      })
      const tarball = join(temporary, readdirSync(temporary)[0])
      await mustRun(`publint for ${name}`, 'node', [publint, 'run', tarball, '--strict'], { env })
      if (manifest.exports['.'])
        await mustRun(`attw for ${name}`, 'node', [attw, tarball, '--profile', 'esm-only'], { env })
    } finally {
      rmSync(temporary, { recursive: true, force: true })
    }
  }
}
