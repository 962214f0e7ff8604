import type { DomainBatch } from '@slotkeeper/core/driver'
import { plainEvent } from './allowances.ts'
import { type Difference, differences } from './difference.ts'
import type { Decided } from './model.ts'

/** Events must be the model's and in its order; while somebody watches, all of them. */
export function eventDifferences(batch: DomainBatch, model: Decided): readonly Difference[] {
  const told = batch.events.map(plainEvent)
  const all = model.events.map(plainEvent)
  if (model.watched) return differences('events', told, all)
  const rest = all.map((event) => JSON.stringify(event))
  for (const event of told) {
    const at = rest.indexOf(JSON.stringify(event))
    if (at < 0) return [{ path: 'events', driver: event, model: rest }]
    rest.splice(0, at + 1)
  }
  return []
}
