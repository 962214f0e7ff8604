import type { Case } from '../harness/case.ts'

/** The suites by name. A new one is added here; only the chosen ones are loaded. */
const suites: Readonly<Record<string, () => Promise<{ readonly cases: readonly Case[] }>>> = {
  etcd: () => import('./etcd/index.ts'),
  memory: () => import('./memory/index.ts'),
  migrations: () => import('./migrations/index.ts'),
  postgres: () => import('./postgres/index.ts'),
  sqlite: () => import('./sqlite/index.ts'),
}

/** The names of all suites. */
export const suiteNames: readonly string[] = Object.keys(suites)

/** @throws Error when there is no such suite */
export async function loadSuite(name: string): Promise<readonly Case[]> {
  const load = Object.hasOwn(suites, name) ? suites[name] : undefined
  if (load === undefined) throw new Error(`There is no suite ${name}. Suites: ${suiteNames.join(', ')}.`)
  return (await load()).cases
}

/**
 * The cases of the named suites, or of all, whose names contain one of `parts`, or all.
 * @throws Error when there is no such suite or no such case
 */
export async function chooseCases(
  names: readonly string[],
  parts: readonly string[],
): Promise<readonly { readonly suite: string; readonly case: Case }[]> {
  const chosen: { suite: string; case: Case }[] = []
  const known: string[] = []
  for (const suite of names.length === 0 ? suiteNames : names)
    for (const one of await loadSuite(suite)) {
      known.push(one.name)
      if (parts.length === 0 || parts.some((part) => one.name.includes(part)))
        chosen.push({ suite, case: one })
    }
  if (chosen.length === 0) throw new Error(`No case is named so. Cases: ${known.join('; ')}.`)
  return chosen
}
