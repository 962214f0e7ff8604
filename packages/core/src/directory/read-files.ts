import type { Dirent } from 'node:fs'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** The link that Kubernetes turns over to the new files of a mounted ConfigMap or Secret, all of them in one step. */
const CURRENT = '..data'
/** Kubernetes removes the old files soon after it turned the link. Somebody who reads for longer than that reads again. */
const TRIES = 5
/** A link that leads back up would never end. */
const DEEPEST = 8
const AT_ONCE = 32

/**
 * The files of a directory and of those below it, by their path from there (`gcp/001_start.sql`), in the order of the paths.
 *
 * Names that begin with a dot are left out. Links are followed. In a mounted ConfigMap or Secret all files are of one version, never
 * some old and some new. An entry that is neither a file nor a directory is left out.
 * @throws the error of the file system: the directory is not there, or a file cannot be read
 */
export async function readFiles(
  path: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ReadonlyMap<string, Uint8Array>> {
  for (let tries = 1; ; tries++) {
    const from = await current(path)
    try {
      const names = (await namesBelow(from, '', 0)).sort()
      const files = new Map<string, Buffer>()
      for (let at = 0; at < names.length; at += AT_ONCE) {
        options.signal?.throwIfAborted()
        const some = names.slice(at, at + AT_ONCE)
        const contents = await Promise.all(some.map((name) => readFile(join(from, name))))
        for (const [index, content] of contents.entries()) files.set(some[index] as string, content)
      }
      return files
    } catch (error) {
      const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT'
      if (!isGone || tries >= TRIES || (await current(path)) === from) throw error
    }
  }
}

/** Reading starts at the real directory, so that a link turned meanwhile does not mix two versions. */
async function current(path: string): Promise<string> {
  try {
    return await realpath(join(path, CURRENT))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path
    throw error
  }
}

async function namesBelow(root: string, below: string, depth: number): Promise<string[]> {
  const names: string[] = []
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue
    const name = below === '' ? entry.name : `${below}/${entry.name}`
    const kind = await kindOf(entry, join(root, name))
    if (kind === 'file') names.push(name)
    if (kind === 'directory' && depth < DEEPEST) names.push(...(await namesBelow(root, name, depth + 1)))
  }
  return names
}

async function kindOf(entry: Dirent, path: string): Promise<'file' | 'directory' | undefined> {
  const found = entry.isSymbolicLink() ? await stat(path) : entry
  if (found.isFile()) return 'file'
  return found.isDirectory() ? 'directory' : undefined
}
