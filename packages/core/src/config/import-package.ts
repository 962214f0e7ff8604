import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { isPackageNotFound } from './package-not-found.ts'

/**
 * Imports a package that the application has installed. Where packages see only their own dependencies (pnpm without hoisting,
 * linked packages), core does not see the application's; so the program's main file is asked too. The working directory never
 * is: code in it may be anybody's.
 */
export async function importPackage(specifier: string): Promise<unknown> {
  try {
    return await import(specifier)
  } catch (error) {
    if (!isPackageNotFound(error, specifier)) throw error
    const path = resolveFromMain(specifier)
    if (path === undefined) throw error
    return await import(pathToFileURL(path).href)
  }
}

function resolveFromMain(specifier: string): string | undefined {
  const main = process.argv[1]
  if (main === undefined) return undefined
  try {
    return createRequire(main).resolve(specifier)
  } catch (error) {
    if (isPackageNotFound(error, specifier)) return undefined
    throw error
  }
}
