// The packed packages in an empty project: installed with npm, loaded and used on each Node, and compiled against.
import { copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureOldNodes } from './old-nodes.mjs'
import { Failure, mustRun, root, run } from './run.mjs'
import { asStranger } from './stranger.mjs'
import { toolchainNode } from './toolchain.mjs'

const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const files = join(root, 'scripts', 'consumer')

export async function checkConsumers(env) {
  const nodes = [...(await ensureOldNodes()), { name: 'Node 24', program: toolchainNode() }]
  await asStranger(env, async (stranger) => {
    await stranger.install(...stranger.packed.map(({ name }) => name))
    onlyWhatIsDeclared(stranger)
    for (const file of readdirSync(files)) copyFileSync(join(files, file), join(stranger.directory, file))
    await Promise.all([compiles(stranger), ...nodes.map((node) => runs(node, stranger))])
  })
}

/** An import of what nobody declared works in a workspace and nowhere else. */
function onlyWhatIsDeclared({ directory, packed }) {
  // migrations takes a pool of pg and says so in its types; so use-postgres.ts is compiled with those of Node.js only.
  const typed = packed.some(({ manifest }) => '@types/pg' in (manifest.dependencies ?? {}))
  const strange = ['zod', 'typescript', 'vitest', ...(typed ? [] : ['@types'])].find((name) =>
    existsSync(join(directory, 'node_modules', name)),
  )
  if (strange) throw new Failure(`Installing ${packed.length} packages brings ${strange} along.`)
}

async function runs({ name, program }, { directory, env }) {
  const options = { cwd: directory, env: { ...env, NODE_OPTIONS: '' } }
  for (const file of ['import.mjs', 'require.cjs'])
    await mustRun(`${file} on ${name}`, program, [file], options)
  const cli = 'node_modules/@slotkeeper/cli/dist/main.js'
  const store = `sqlite:cli-${name.replace(' ', '-')}.db`
  const command = [
    'run',
    '--repository',
    'acme/api',
    '--limit',
    '1',
    '--store',
    store,
    '--',
    'sh',
    '-c',
    'exit 7',
  ]
  const { exitCode, output } = await run(program, [cli, ...command], { ...options, capture: true })
  const isOld = name === 'Node 20'
  if (isOld ? exitCode === 125 && output.includes('22.14') : exitCode === 7) return
  throw new Failure(`${output}\n\nslotkeeper run on ${name} ended with exit code ${exitCode}.`)
}

/** Both ways to resolve modules; with the types of Node.js and no browser's, and with a browser's and none of Node.js. */
async function compiles({ directory, env }) {
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true }
  const base = { ...strict, skipLibCheck: false, noEmit: true, target: 'ES2022', verbatimModuleSyntax: false }
  const types = { typeRoots: [join(root, 'node_modules', '@types')], types: ['node'] }
  const projects = {
    'node-next': { ...base, ...types, module: 'NodeNext', lib: ['ES2022'] },
    bundler: { ...base, ...types, module: 'ESNext', moduleResolution: 'Bundler', lib: ['ES2022'] },
    'node-next-dom': { ...base, types: [], module: 'NodeNext', lib: ['ES2022', 'DOM'] },
    'bundler-dom': {
      ...base,
      types: [],
      module: 'ESNext',
      moduleResolution: 'Bundler',
      lib: ['ES2022', 'DOM'],
    },
  }
  for (const [name, compilerOptions] of Object.entries(projects)) {
    const isBundled = compilerOptions.module === 'ESNext' // has no `import x = require()`
    const config = `tsconfig.${name}.json`
    const hasNode = compilerOptions.types.includes('node')
    const sources = ['use.ts', ...(isBundled ? [] : ['use.cts']), ...(hasNode ? ['use-postgres.ts'] : [])]
    const project = { compilerOptions, files: sources }
    writeFileSync(join(directory, config), JSON.stringify(project))
    await mustRun(`tsc for ${name}`, 'node', [tsc, '-p', config], { env, cwd: directory })
  }
}
