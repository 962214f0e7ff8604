// The getting-started guides, followed to the letter: each in an empty directory, its blocks in their order. A block ```ts name.ts (or
// any other language with a file name) is saved under that name, a block ```sh is run and has to succeed.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { blocksOf } from './markdown.mjs'
import { postgresPrograms } from './postgres-programs.mjs'
import { startPostgres } from './postgres-server.mjs'
import { Failure, run } from './run.mjs'
import { freePort } from './server-process.mjs'
import { asStranger } from './stranger.mjs'

/** What a guide's reader has already, as environment. */
const guides = {
  'docs/getting-started.md': (work) => work({}),
  'docs/migrations.md': withPostgres,
}

export async function checkGuides(env) {
  for (const [guide, withWhatIsThere] of Object.entries(guides))
    await withWhatIsThere((there) =>
      asStranger({ ...env, ...there }, async ({ directory, env: own }) => {
        for (const { language, info, code, line } of blocksOf(guide)) {
          if (language === 'sh') await follow(`${guide}:${line}`, code, { env: own, cwd: directory })
          else if (/^[\w./-]+\.\w+$/.test(info)) save(join(directory, info), code)
        }
      }),
    )
}

async function withPostgres(work) {
  const { urls, stop } = await startPostgres(await postgresPrograms('18'))
  try {
    const DATABASE_URL = urls[0].replace(/\w+$/, 'app')
    const HEALTH_PORT = String(await freePort())
    await work({ DATABASE_URL, HEALTH_PORT, MIGRATIONS_APPLIED_FLAG_PATH: 'applied.flag' })
  } finally {
    await stop()
  }
}

async function follow(where, code, options) {
  const { exitCode, output } = await run('bash', ['-euo', 'pipefail', '-c', code], {
    ...options,
    capture: true,
  })
  if (exitCode !== 0) throw new Failure(`${code}\n\n${output}\n\n${where}: exit code ${exitCode}`)
}

function save(path, code) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${code}\n`)
}
