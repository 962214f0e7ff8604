import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

type Files = Readonly<Record<string, string>>

/** A new directory that is gone after the test. */
export async function newDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'slotkeeper-migrations-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Writes files, each so that nobody sees it half written. */
export async function write(directory: string, files: Files): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(`${path}.new`, text)
    await rename(`${path}.new`, path)
  }
}

/** Mounts a version of a ConfigMap as the kubelet does: a new directory with all files, and one link turned over to it. */
export async function mount(directory: string, version: number, files: Files): Promise<void> {
  await write(join(directory, `..${version}`), files)
  await symlink(`..${version}`, join(directory, '..data_tmp'))
  await rename(join(directory, '..data_tmp'), join(directory, '..data'))
  for (const name of Object.keys(files))
    await symlink(join('..data', name), join(directory, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
}
