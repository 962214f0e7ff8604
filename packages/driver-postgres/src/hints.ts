import { ask, type Keeping } from './holders.ts'

/** How long decisions write hints for those who look, after they last did. */
export const LOOKED_FOR_MS = 10_000

/** Says that this process looks, and gives what was told in transactions from `since` on: some of it may come twice. */
export async function lookForHints(
  keeping: Keeping,
  since: string,
): Promise<{ readonly payloads: readonly string[]; readonly next: string }> {
  const { look, willLook } = keeping.sql
  const steps = [
    { statement: willLook, values: [String(LOOKED_FOR_MS)] },
    { statement: look, values: [since] },
  ]
  const [[next, payloads] = []] = await ask(keeping, steps, undefined)
  return { payloads: JSON.parse(payloads ?? 'null') ?? [], next: next as string }
}
