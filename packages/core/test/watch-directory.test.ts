import { chmod, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readFiles } from '../src/directory/read-files.ts'
import { type DirectoryState, watchDirectory } from '../src/directory/watch-directory.ts'

let parent: string
let path: string
let end: AbortController

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'slotkeeper-watch-'))
  path = join(parent, 'mounted')
  end = new AbortController()
})
afterEach(async () => {
  end.abort()
  await rm(parent, { recursive: true, force: true })
})

/** As the kubelet does it: a new directory with the files, and one link turned over to it. */
async function mount(version: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(path, `..${version}`), { recursive: true })
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(path, `..${version}`, name), text)
    await symlink(join('..data', name), join(path, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
  await symlink(`..${version}`, join(path, '..data_tmp'))
  await rename(join(path, '..data_tmp'), join(path, '..data'))
}

function watching(options: { pollMs?: number } = {}) {
  const states = watchDirectory(path, { signal: end.signal, settleMs: 10, pollMs: 20_000, ...options })
  return async () => (await states.next()).value as DirectoryState
}

function textsOf(state: DirectoryState): Record<string, string> {
  if (state.kind === 'unreadable') throw state.error
  return Object.fromEntries([...state.files].map(([name, content]) => [name, content.toString()]))
}

test('a ConfigMap whose link is turned over is one change, with the new content', async () => {
  await mount('1', { 'a.sql': 'one' })
  const next = watching()
  expect(textsOf(await next())).toEqual({ 'a.sql': 'one' })
  await mount('2', { 'a.sql': 'two', 'b.sql': 'three' })
  let texts = textsOf(await next())
  if (texts['b.sql'] === undefined) texts = textsOf(await next()) // its key gets a link before the data are turned over
  expect(texts).toEqual({ 'a.sql': 'two', 'b.sql': 'three' })
})

test('the same content under new links is no change', async () => {
  await mount('1', { 'a.sql': 'one' })
  const next = watching()
  await next()
  await mount('2', { 'a.sql': 'one' })
  await utimes(join(path, '..2', 'a.sql'), 1, 1)
  await mount('3', { 'a.sql': 'other' })
  expect(textsOf(await next())).toEqual({ 'a.sql': 'other' })
})

test('a file in a directory below is watched', async () => {
  await mkdir(join(path, 'gcp'), { recursive: true })
  await writeFile(join(path, 'gcp', '001_a.sql'), 'one')
  const next = watching()
  expect(textsOf(await next())).toEqual({ 'gcp/001_a.sql': 'one' })
  await writeFile(join(path, 'gcp', '001_a.sql'), 'two')
  let texts = textsOf(await next())
  if (texts['gcp/001_a.sql'] === '') texts = textsOf(await next()) // between the truncation and the writing
  expect(texts).toEqual({ 'gcp/001_a.sql': 'two' })
})

test('a directory that vanishes is a state, and so is its return', async () => {
  await mkdir(path)
  await writeFile(join(path, 'a'), 'one')
  const next = watching({ pollMs: 50 })
  await next()
  await rename(path, `${path}.away`)
  expect(await next()).toMatchObject({ kind: 'unreadable', error: { code: 'ENOENT' } })
  await rename(`${path}.away`, path)
  expect(textsOf(await next())).toEqual({ a: 'one' })
})

test('a directory that is not there yet is watched', async () => {
  const next = watching()
  expect(await next()).toMatchObject({ kind: 'unreadable' })
  await mkdir(`${path}.new`)
  await writeFile(join(`${path}.new`, 'a'), 'one')
  await rename(`${path}.new`, path)
  let state = await next()
  while (state.kind === 'unreadable') state = await next()
  expect(textsOf(state)).toEqual({ a: 'one' })
})

test('a change that the system told nothing of is found by the next look', async () => {
  // Two levels below, where no watch of the system is set by the first look, for there is no file yet.
  await mkdir(join(path, 'a', 'b'), { recursive: true })
  const next = watching({ pollMs: 30 })
  expect(textsOf(await next())).toEqual({})
  await writeFile(join(path, 'a', 'b', 'c'), 'one')
  let texts = textsOf(await next())
  if (texts['a/b/c'] === '') texts = textsOf(await next())
  expect(texts).toEqual({ 'a/b/c': 'one' })
})

test('an aborted watch ends without an error', async () => {
  await mkdir(path)
  const states = watchDirectory(path, { signal: end.signal })
  await states.next()
  const last = states.next()
  end.abort()
  expect(await last).toEqual({ done: true, value: undefined })
})

test('a file that cannot be read is an error, and not left out', async () => {
  await mkdir(path)
  await writeFile(join(path, 'a'), 'one')
  await symlink('nowhere', join(path, 'b'))
  await expect(readFiles(path)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('hidden files and what is neither file nor directory are left out', async () => {
  await mkdir(join(path, '.git'), { recursive: true })
  await writeFile(join(path, '.git', 'x'), '')
  await writeFile(join(path, '.hidden'), '')
  await writeFile(join(path, 'b'), '')
  await writeFile(join(path, 'a'), '')
  await chmod(join(path, 'a'), 0o400)
  expect([...(await readFiles(path)).keys()]).toEqual(['a', 'b'])
})
