import type { DomainBatch } from '@slotkeeper/core/driver'

/** A batch as it was sent, for somebody else to answer: nothing written into the copy is seen in the original. */
export function copyBatch(batch: readonly DomainBatch[]): DomainBatch[] {
  return batch.map(({ domain, by, commands }) => ({
    domain,
    by,
    commands: commands.map((command) => ({ ...command, outcome: undefined })),
    decision: undefined,
    error: undefined,
    events: [],
    done() {},
  }))
}
