import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FILES, type Manifest, type Start } from './cluster.ts'
import type { Work } from './kubelet.ts'

/** What the files prove. */
export interface Verdict {
  /** The most runs at work at once, by repository. */
  readonly peaks: Readonly<Record<string, number>>
  readonly runs: number
  /** What must not be: one sentence each. */
  readonly problems: readonly string[]
}

/** Judges by the cluster's files and the journal alone, and believes no controller and no store. */
export function judge(folder: string, journal: string): Verdict {
  const problems: string[] = []
  const limits = new Map<string, number>()
  const spans = new Map<string, { at: bigint; by: 1 | -1 }[]>()
  const works = linesOf<Work>(readFileSync(journal, 'utf8'))
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(FILES.run) && !file.startsWith('broken'))
    .map((file) => file.slice(0, -FILES.run.length))
  for (const name of names) {
    const { repository } = JSON.parse(readFileSync(join(folder, `${name}${FILES.run}`), 'utf8')) as Manifest
    const key = `${repository.metadata.namespace}/${repository.metadata.name}`
    limits.set(key, repository.spec.concurrencyLimit ?? 0)
    const starts = read(folder, name)
    const ends = works.filter((work) => work.run === name && work.event === 'ends')
    if (starts.length === 0) problems.push(`${name} was lost: it was never started`)
    else if (starts.length > 1)
      problems.push(
        `${name} was started ${starts.length} times: ${starts.map(({ by, token }) => `${by} ${token}`).join(', ')}`,
      )
    else if (ends.length !== 1) problems.push(`${name} was started and ended ${ends.length} times`)
    const span = spans.get(key) ?? []
    spans.set(key, span)
    // It takes its place from the moment at which a controller lets it go, until it has truly ended.
    for (const { at } of starts) span.push({ at: BigInt(at), by: 1 })
    for (const { at } of ends) span.push({ at: BigInt(at), by: -1 })
  }
  const peaks: Record<string, number> = {}
  for (const [key, span] of spans) {
    span.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.by - b.by))
    let now = 0
    let peak = 0
    for (const { by } of span) {
      now += by
      peak = Math.max(peak, now)
    }
    peaks[key] = peak
    const limit = limits.get(key) ?? 0
    if (limit > 0 && peak > limit)
      problems.push(`${peak} runs of ${key} were at work at once; its limit is ${limit}`)
  }
  return { peaks, runs: names.length, problems }
}

function read(folder: string, name: string): readonly Start[] {
  try {
    return linesOf<Start>(readFileSync(join(folder, `${name}${FILES.starts}`), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function linesOf<T>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
