import { isSlot } from '@slotkeeper/core/driver'
import type { World } from './world.ts'

/** How long the world may take to come to rest once all is well. */
const PATIENCE_MS = 25_000

/**
 * Lets a world come to rest: no faults and no new wishes. Then every wait was granted or rejected, nothing is held, nothing waits, and
 * whoever closes leaves nothing behind.
 */
export async function quiesce(world: World): Promise<void> {
  const { scheduler, traits } = world
  const failed = () => world.brokenRules.length > 0
  world.heal()
  // What was under way arrives, and who stood still runs again.
  await scheduler.run(world.now + 2 * traits.delayMs + 2 * traits.ttlMs, failed)
  if (failed()) return
  for (const actor of world.alive)
    if (!actor.closing) scheduler.after(0, () => keepGoing(world, actor.of.index), actor.of)
  const { ttlMs } = traits
  scheduler.after(ttlMs * 2 + 4000, () => deadAreGone(world), undefined, true)
  const until = world.now + PATIENCE_MS
  let rested = 0
  await scheduler.run(until, () => {
    if (failed()) return true
    rested = isAtRest(world) ? rested + 1 : 0
    return rested > 0 && world.now > until - PATIENCE_MS + 200
  })
  if (failed()) return
  if (!isAtRest(world)) return complain(world)
  world.ending = true
  for (const actor of world.alive) scheduler.after(0, () => void actor.close(0, 0), actor.of)
  await scheduler.run(world.now + 30_000, () => failed() || world.alive.length === 0)
  for (const actor of world.alive)
    world.broken(11, `${actor.of.name} does not come to its end when it is closed`)
}

/** Activates the repositories, keeps watching, and reconciles. */
function keepGoing(world: World, index: number): void {
  const actor = world.actors[index]
  if (actor === undefined || actor.of.dead || actor.closing) return
  actor.watch()
  actor.controller.begin()
  if (index !== world.alive[0]?.of.index) return
  for (let at = 0; at < world.traits.repositories; at++) {
    const activate = async () => {
      try {
        await actor.manager.setRepositoryLimit(world.resource(at))
        await actor.manager.setRepositoryState(world.key(at), 'active')
      } catch {
        await actor.pause(300)
        await activate()
      }
    }
    void activate()
  }
}

/** Rule 8, some time after all became well: nothing belongs to the dead. */
function deadAreGone(world: World): void {
  const now = world.store.now(0)
  for (const rows of world.store.runs.values())
    for (const row of rows.values())
      if (row.phase !== 'record' && row.holder !== undefined && !world.store.isLive(row.holder, now))
        world.broken(8, `${row.run} is ${row.phase} and belongs to ${row.holder}, which is dead`)
}

function isAtRest(world: World): boolean {
  if (world.bodies.running.size > 0) return false
  for (const row of world.store.repositories.values())
    if (row.live > 0 || row.waiting > 0 || row.status === 'removing') return false
  for (const actor of world.alive)
    for (const { what } of actor.pending) if (what.includes('wait')) return false
  return true
}

/** Says what did not come to rest. */
function complain(world: World): void {
  for (const rows of world.store.runs.values())
    for (const row of rows.values()) {
      if (isSlot(row.phase)) {
        const body = [...world.bodies.running].some(
          (one) => one.run === row.run && one.repository === row.repository,
        )
        world.broken(
          body ? 10 : 5,
          `${row.run} is ${row.phase} for ever, under ${row.holder}; ${body ? 'somebody' : 'nobody'} works under it`,
        )
      } else if (row.phase === 'waiting') world.broken(7, `${row.run} waits for ever, with ${row.holder}`)
    }
  for (const actor of world.alive)
    for (const { what, since } of actor.pending)
      if (since < world.now - PATIENCE_MS / 2)
        world.broken(10, `${actor.of.name}: ${what} of ${since.toFixed(0)} ms is never answered`)
  for (const { repository, status } of world.store.repositories.values())
    if (status === 'removing') world.broken(10, `${repository} is being removed for ever`)
  for (const body of world.bodies.running) world.broken(10, `${body.of.name} runs ${body.run} for ever`)
}
