import type { SlotInfo } from '@slotkeeper/core'

/** One slot, as JSON. Times are in ISO 8601. */
export interface SlotReport {
  readonly run: string
  readonly phase: SlotInfo['phase']
  /** `null` while unlimited. */
  readonly slotNumber: number | null
  readonly holder: string | null
  readonly durable: boolean
  readonly leaseId: string
  /** A whole number as text, since JSON's readers round large ones. */
  readonly fencingToken: string
  readonly since: string
  readonly expires: string
  readonly meta: Readonly<Record<string, string>>
}

/** A slot for JSON. */
export function slotReport(slot: SlotInfo): SlotReport {
  return {
    run: slot.run,
    phase: slot.phase,
    slotNumber: slot.slotNumber ?? null,
    holder: slot.holder ?? null,
    durable: slot.durable,
    leaseId: slot.leaseId,
    fencingToken: String(slot.fencingToken),
    since: slot.acquiredAt.toISOString(),
    expires: slot.expiresAt.toISOString(),
    meta: { ...slot.meta },
  }
}
