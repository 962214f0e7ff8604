// Every TypeScript block of the documentation and every @example of a docstring, compiled against the packed packages.
// A block that begins with ```ts fragment is a piece of something else and is left out; another check holds it to that.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { packages } from './build.mjs'
import { blocksOf, markdownFiles, read } from './markdown.mjs'
import { Failure, root, run } from './run.mjs'
import { filesBelow } from './stamps.mjs'
import { asStranger } from './stranger.mjs'

const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const compilerOptions = {
  target: 'ES2023',
  lib: ['ES2023', 'ESNext.Disposable'],
  module: 'NodeNext',
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true, // consumers looks at those
  noEmit: true,
  types: ['node'],
  typeRoots: [join(root, 'node_modules', '@types')],
  paths: { vitest: [join(root, 'node_modules', 'vitest', 'dist', 'index.d.ts')] },
}

export async function checkSnippets(env) {
  const blocks = (await markdownFiles())
    .flatMap(blocksOf)
    .filter(({ language, info }) => language === 'ts' && info !== 'fragment')
  const examples = [...packages().values()].flatMap(({ folder }) =>
    filesBelow(`${folder}/src`, (file) => file.endsWith('.ts') && !file.endsWith('.test.ts')).flatMap(
      examplesOf,
    ),
  )
  await asStranger(env, async ({ directory, env: ofNpm, packed, install }) => {
    await install(...packed.map(({ name }) => name))
    const exported = await exportsOf(packed)
    const own = join(root, 'scripts', 'snippets')
    cpSync(join(own, 'stand-ins.d.ts'), join(directory, 'stand-ins.d.ts'))
    cpSync(join(own, 'src'), join(directory, 'blocks', 'packages', 'src'), { recursive: true }) // the README's ../src
    writeFileSync(join(directory, 'blocks', 'package.json'), '{ "type": "module" }')
    for (const block of blocks) place(directory, block, '')
    for (const example of examples) place(directory, example, importsFor(example.code, exported))
    const config = { compilerOptions, include: ['blocks', 'stand-ins.d.ts'] }
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config))
    const options = { env: ofNpm, cwd: directory, capture: true }
    const { exitCode, output } = await run('node', [tsc, '-p', '.', '--pretty', 'false'], options)
    if (exitCode === 0) return
    // blocks/docs/x.md.12.ts(14,3) is line 14 of docs/x.md
    throw new Failure(output.replace(/^blocks\/(.*?)\.\d+\.ts\(/gm, '$1('), exitCode)
  })
}

/** The code stands in its own file on the same lines as in its page, so that the compiler tells the page's. */
function place(directory, { file, line, code }, imports) {
  const path = join(directory, 'blocks', `${file}.${line}.ts`)
  mkdirSync(dirname(path), { recursive: true })
  const isLine1 = line === 1 ? '\n' : ''
  writeFileSync(path, `${imports}${isLine1}${'\n'.repeat(line - 1)}${code}\nexport {}\n`)
}

function examplesOf(file) {
  const text = read(file)
  return [...text.matchAll(/^ *\* @example\n((?: *\*(?! @|\/).*\n)+)/gm)].map((match) => ({
    file,
    line: text.slice(0, match.index).split('\n').length + 1,
    code: (match[1] ?? '').replace(/^ *\* ?/gm, ''),
  }))
}

/** Which entry exports a name. */
async function exportsOf(packed) {
  const entries = packed.flatMap(({ name, folder, manifest }) =>
    Object.entries(manifest.exports)
      .filter(([, target]) => target.default)
      .map(([entry, target]) => [name + entry.slice(1), join(root, folder, target.default)]),
  )
  const names = new Map()
  for (const [entry, file] of entries)
    for (const name of Object.keys(await import(file))) if (!names.has(name)) names.set(name, entry)
  return names
}

/** Examples in docstrings import nothing: what they name is in the package that they are in, or beside it. */
function importsFor(code, exported) {
  const used = new Set(code.replace(/'[^']*'|\/\/.*/g, '').match(/(?<![.\w])[A-Za-z]\w*(?!:)/g))
  return [...used]
    .filter((name) => exported.has(name) && !new RegExp(`(const|let|using|function) ${name}\\b`).test(code))
    .map((name) => `import { ${name} } from '${exported.get(name)}'; `)
    .join('')
}
