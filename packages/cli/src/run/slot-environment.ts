import type { Slot } from '@slotkeeper/core'

/** What a command learns of its slot. */
export function slotEnvironment(inherited: NodeJS.ProcessEnv, slot: Slot): Readonly<Record<string, string>> {
  const { SLOTKEEPER_SLOT_NUMBER: _ofAnOuterSlot, ...env } = inherited as Record<string, string>
  return {
    ...env,
    SLOTKEEPER_REPOSITORY: slot.repository,
    SLOTKEEPER_RUN: slot.run,
    SLOTKEEPER_LEASE_ID: slot.leaseId,
    SLOTKEEPER_FENCING_TOKEN: String(slot.fencingToken),
    ...(slot.slotNumber !== undefined && { SLOTKEEPER_SLOT_NUMBER: String(slot.slotNumber) }),
  }
}
