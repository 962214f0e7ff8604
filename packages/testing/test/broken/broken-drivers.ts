import type { BrokenDriver } from './breaking.ts'
import { contract } from './contract.ts'
import { lifeAndDeath } from './life-and-death.ts'
import { orderAndIdentity } from './order-and-identity.ts'
import { slotsAndTokens } from './slots-and-tokens.ts'

/**
 * Real drivers, each of which breaks one rule. The suite must convict each by a test that is named after that rule; other rules may
 * be broken in consequence.
 */
export const brokenDrivers: readonly BrokenDriver[] = [
  ...slotsAndTokens,
  ...orderAndIdentity,
  ...lifeAndDeath,
  ...contract,
]
