// The getting-started guides, followed to the letter: each in an empty directory, its blocks in their order. A block ```ts name.ts (or
// any other language with a file name) is saved under that name, a block ```sh is run and has to succeed.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { blocksOf } from './markdown.mjs'
import { Failure, run } from './run.mjs'
import { asStranger } from './stranger.mjs'

const guides = ['docs/getting-started.md']

export async function checkGuides(env) {
  for (const guide of guides)
    await asStranger(env, async ({ directory, env: own }) => {
      for (const { language, info, code, line } of blocksOf(guide)) {
        if (language === 'sh') await follow(`${guide}:${line}`, code, { env: own, cwd: directory })
        else if (/^[\w./-]+\.\w+$/.test(info)) save(join(directory, info), code)
      }
    })
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
