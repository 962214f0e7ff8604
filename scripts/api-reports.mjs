// The public surface as one committed report per entry, packages/*/api/*.api.md, so that every change of it shows in a diff.
// Compares them with the build, or with --update writes them anew.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor'
import { packages } from './build.mjs'
import { root, run } from './run.mjs'

const isUpdate = process.argv.includes('--update')
const temporary = mkdtempSync(join(tmpdir(), 'slotkeeper-api-'))

/** What an entry's report is called: that of `./driver` is `driver.api.md`. */
const reportOf = (entry) => `${entry.slice(2) || 'index'}.api.md`

const none = { logLevel: 'none' }
const error = { logLevel: 'error' }
const messages = {
  compilerMessageReporting: { default: error },
  // Docstrings and types that no entry exports are TypeDoc's to judge.
  extractorMessageReporting: {
    default: error,
    'ae-undocumented': none,
    'ae-missing-release-tag': none,
    'ae-forgotten-export': none,
  },
  tsdocMessageReporting: { default: none },
}
const compilerOptions = {
  target: 'ES2023',
  lib: ['ES2023', 'ESNext.Disposable'],
  module: 'NodeNext',
  moduleResolution: 'NodeNext',
  types: ['node'],
  strict: true,
}

function configure(folder, entry, declarations) {
  const reportFolder = join(root, folder, 'api')
  mkdirSync(reportFolder, { recursive: true })
  /** @type {any} */
  const configObject = {
    projectFolder: join(root, folder),
    mainEntryPointFilePath: join(root, folder, declarations),
    compiler: { overrideTsconfig: { compilerOptions, files: [join(root, folder, declarations)] } },
    apiReport: {
      enabled: true,
      reportFileName: reportOf(entry),
      reportFolder,
      reportTempFolder: join(temporary, folder),
      includeForgottenExports: false, // of another entry, mostly, whose report has them
    },
    docModel: { enabled: false },
    dtsRollup: { enabled: false },
    tsdocMetadata: { enabled: false },
    newlineKind: 'lf',
    messages,
  }
  return ExtractorConfig.prepare({
    configObject,
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, folder, 'package.json'),
  })
}

/** All entries are compiled once: most of them show the same types. */
let compilerState

function extract(config, all) {
  compilerState ??= CompilerState.create(config, {
    additionalEntryPoints: all.map((other) => other.mainEntryPointFilePath),
  })
  const problems = []
  const result = Extractor.invoke(config, {
    localBuild: isUpdate,
    compilerState,
    messageCallback(message) {
      if (message.logLevel === 'error' && !message.messageId.startsWith('console-api-report'))
        problems.push(message.text)
      message.handled = true
    },
  })
  return { problems, changed: result.apiReportChanged && !isUpdate }
}

const entries = [...packages()].flatMap(([name, { folder, manifest }]) =>
  Object.entries(manifest.exports)
    .filter(([, target]) => target.types)
    .map(([entry, { types }]) => ({ name, folder, entry, config: configure(folder, entry, types) })),
)
const wrong = []
for (const { name, folder, entry, config } of entries) {
  const { problems, changed } = extract(
    config,
    entries.map((other) => other.config),
  )
  for (const problem of problems) wrong.push(`${name} ${entry}: ${problem}`)
  if (!changed) continue
  const [committed, built] = [join(root, folder, 'api'), join(temporary, folder)].map((place) =>
    join(place, reportOf(entry)),
  )
  const { output } = await run('git', ['diff', '--no-index', '-U1', committed, built], { capture: true })
  const lines = output.split('\n').slice(4, 60)
  wrong.push(`${name} ${entry}: the public surface has changed.`, ...lines)
}
for (const folder of new Set(entries.map((entry) => entry.folder))) {
  const known = entries.filter((entry) => entry.folder === folder).map(({ entry }) => reportOf(entry))
  for (const report of readdirSync(join(root, folder, 'api')).filter((file) => !known.includes(file))) {
    if (isUpdate) rmSync(join(root, folder, 'api', report))
    else wrong.push(`${folder}/api/${report} belongs to no entry any more.`)
  }
}
rmSync(temporary, { recursive: true })
if (wrong.length > 0) {
  console.error(
    [...wrong, 'If this is meant: npm run api, and say in a changeset what users see.'].join('\n'),
  )
  process.exitCode = 1
}
