import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMap, LineCounter, parseAllDocuments } from 'yaml'
import type { Plan, PlannedRepository, PlannedRun } from './plan.ts'

/** The annotation by which Pipelines-as-Code names the Repository of a PipelineRun. */
const REPOSITORY = 'pipelinesascode.tekton.dev/repository'
/** The demo's own: how long the run works, and whether it may go before others. */
const SECONDS = 'demo.slotkeeper.dev/seconds'
const PRIORITY = 'demo.slotkeeper.dev/priority'
const DEFAULT_SECONDS = 1

/** The manifests cannot be used; `problems` has one sentence each, naming the file and the document. */
export class ManifestError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** One document of a file; `where` names both. */
interface Document {
  readonly where: string
  readonly content: Fields
}

type Fields = Readonly<Record<string, unknown>>

/** `namespace/name`. */
type Key = `${string}/${string}`

/**
 * Reads the Repository and PipelineRun resources of a folder's YAML files.
 * @throws ManifestError with everything that is wrong
 */
export function readManifests(folder: string): Plan {
  const problems: string[] = []
  const documents = readDocuments(folder, problems)
  const attempt = <T>(read: () => T): T[] => {
    try {
      return [read()]
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error
      problems.push(...error.problems)
      return []
    }
  }
  const known = new Map<string, string>()
  const claim = (key: string, where: string, kind: string) => {
    const first = known.get(`${kind} ${key}`)
    if (first !== undefined) throw wrong(where, `${kind} ${key} is there already, in ${first}`)
    known.set(`${kind} ${key}`, where)
  }
  const kinds = documents.flatMap((document) => attempt(() => ({ ...document, kind: kindOf(document) })))
  const repositories = kinds
    .filter(({ kind }) => kind === 'Repository')
    .flatMap((document) =>
      attempt(() => {
        const repository = readRepository(document)
        claim(repository.key, document.where, 'Repository')
        return repository
      }),
    )
  const runs = kinds
    .filter(({ kind }) => kind === 'PipelineRun')
    .flatMap((document) =>
      attempt(() => {
        const run = readRun(document)
        claim(run.run, document.where, 'PipelineRun')
        if (!kinds.some(({ kind, content }) => kind === 'Repository' && named(content) === run.repository))
          throw wrong(
            document.where,
            `PipelineRun ${run.run} belongs to Repository ${run.repository}, which no manifest describes`,
          )
        return run
      }),
    )
  if (problems.length === 0 && runs.length === 0)
    problems.push(`${folder} has no PipelineRun in a .yaml file: there is nothing to run.`)
  if (problems.length > 0) throw new ManifestError(problems)
  return { repositories, runs }
}

function readDocuments(folder: string, problems: string[]): readonly Document[] {
  let files: string[]
  try {
    files = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name))
  } catch (error) {
    throw new ManifestError([`The manifests in ${folder} cannot be read: ${messageOf(error)}.`])
  }
  return files.sort().flatMap((file) => {
    let text: string
    try {
      text = readFileSync(join(folder, file), 'utf8')
    } catch (error) {
      problems.push(`${file} cannot be read: ${messageOf(error)}.`)
      return []
    }
    const lineCounter = new LineCounter()
    const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false })
    if (!Array.isArray(documents)) return []
    return documents.flatMap((document, index) => {
      const where = `${file}, document ${index + 1}`
      const [error] = document.errors
      if (error !== undefined) {
        const { line } = lineCounter.linePos(error.pos[0])
        problems.push(`${where}: it is not YAML, line ${line}: ${error.message}.`)
        return []
      }
      if (document.contents === null) return []
      if (isMap(document.contents)) return [{ where, content: document.toJS() as Fields }]
      problems.push(`${where}: it is not a Kubernetes resource, which begins with apiVersion and kind.`)
      return []
    })
  })
}

function kindOf({ where, content: { apiVersion, kind } }: Document): 'Repository' | 'PipelineRun' {
  if (kind === 'Repository' && apiVersion === 'pipelinesascode.tekton.dev/v1alpha1') return kind
  if (kind === 'PipelineRun' && (apiVersion === 'tekton.dev/v1' || apiVersion === 'tekton.dev/v1beta1'))
    return kind
  throw wrong(
    where,
    `apiVersion ${show(apiVersion)} with kind ${show(kind)} is neither a Repository of pipelinesascode.tekton.dev/v1alpha1 nor a PipelineRun of tekton.dev/v1`,
  )
}

function readRepository({ where, content }: Document): PlannedRepository {
  const key = keyOf(where, content)
  const limit = fields(content.spec).concurrency_limit ?? 0
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 0 || limit > 2 ** 31 - 1)
    throw wrong(
      where,
      `spec.concurrency_limit of Repository ${key} is ${show(limit)}: it must be a whole number from 1, or absent for no limit`,
    )
  return { key, limit }
}

function readRun({ where, content }: Document): PlannedRun {
  const run = keyOf(where, content)
  const { namespace, labels, annotations } = fields(content.metadata)
  const notes = fields(annotations)
  const repository = notes[REPOSITORY] ?? fields(labels)[REPOSITORY]
  if (typeof repository !== 'string' || repository === '')
    throw wrong(where, `PipelineRun ${run} has no annotation ${REPOSITORY}`)
  const seconds = Number(notes[SECONDS] ?? DEFAULT_SECONDS)
  if (!(seconds > 0 && seconds <= 3600))
    throw wrong(
      where,
      `annotation ${SECONDS} of PipelineRun ${run} is ${show(notes[SECONDS])}: it must be more than 0 and at most 3600`,
    )
  const priority = Number(notes[PRIORITY] ?? 0)
  if ((priority | 0) !== priority || notes[PRIORITY] === '')
    throw wrong(
      where,
      `annotation ${PRIORITY} of PipelineRun ${run} is ${show(notes[PRIORITY])}: it must be a whole number, higher goes first`,
    )
  return { run, repository: `${String(namespace)}/${repository}`, priority, seconds }
}

function keyOf(where: string, content: Fields): Key {
  const metadata = fields(content.metadata)
  for (const part of ['namespace', 'name'])
    if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(String(metadata[part] ?? '')))
      throw wrong(
        where,
        `metadata.${part} of the ${String(content.kind)} is ${show(metadata[part])}: it must be a Kubernetes name of lower-case letters, digits, '-' and '.'`,
      )
  return named(content)
}

function named(content: Fields): Key {
  const { namespace, name } = fields(content.metadata)
  return `${String(namespace)}/${String(name)}`
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'absent'
}

function wrong(where: string, sentence: string): ManifestError {
  return new ManifestError([`${where}: ${sentence}.`])
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
