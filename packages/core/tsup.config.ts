import { copyFile, mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { library } from '../../tsup.base.ts'

/** What a bundled package's licence asks for. */
const licence = fileURLToPath(new URL('LICENSE', import.meta.resolve('zod/package.json')))

/** zod is bundled, a tenth of it being in use: importing all of it took most of the time that importing core took. */
export default library(['src/index.ts', 'src/driver-entry.ts', 'src/node.ts'], {
  noExternal: ['zod'],
  esbuildPlugins: [
    {
      name: 'licence',
      setup: ({ onEnd, initialOptions: { outdir = 'dist' } }) =>
        onEnd(async () => {
          await mkdir(outdir, { recursive: true })
          await copyFile(licence, `${outdir}/zod.LICENSE.txt`)
        }),
    },
  ],
})
