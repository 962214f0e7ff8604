import { StoreError } from '@slotkeeper/core/driver'
import { timeKey } from './keys.ts'
import { absent, get, put } from './operations.ts'
import { rangeOf } from './requests.ts'
import type { Store } from './store.ts'

/** The version of what `KeySpace` describes. */
const LAYOUT = 1

/**
 * Makes the store where there is none, or finds that it is this release's.
 * @throws StoreError `SLOTKEEPER_SCHEMA_MISSING`, `SLOTKEEPER_SCHEMA_TOO_NEW`, `SLOTKEEPER_STORE_FOREIGN`
 */
export async function openStore(
  { transport, keys, clock }: Store,
  schema: 'migrate' | 'check',
  how: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const layout = String(LAYOUT)
  const response = await transport.txn(
    {
      compare: [absent(keys.layout)],
      // Store time begins with somebody's wall clock, only because that reads well.
      success: schema === 'migrate' ? [put(keys.layout, layout), put(keys.clock, timeKey(clock.wall()))] : [],
      failure: [get(keys.layout)],
    },
    { ...how, repeatable: true },
  )
  if (response.succeeded) {
    if (schema === 'migrate') return
    throw new StoreError(
      'SLOTKEEPER_SCHEMA_MISSING',
      `There is no store below ${keys.prefix} yet. Open it once with schema: 'migrate'.`,
    )
  }
  const found = rangeOf(response.responses[0]).kvs[0]?.value.toString() ?? ''
  if (found === layout) return
  if (/^[1-9]\d*$/.test(found))
    throw new StoreError(
      'SLOTKEEPER_SCHEMA_TOO_NEW',
      `The store below ${keys.prefix} has layout ${found}; this release knows ${layout}. Install the newer release.`,
    )
  throw new StoreError(
    'SLOTKEEPER_STORE_FOREIGN',
    `The key ${keys.layout} is not of Slotkeeper. Name another prefix.`,
  )
}
