import { setTimeout as sleep } from 'node:timers/promises'
import {
  isSlotkeeperError,
  type RepositoryKey,
  type RunKey,
  repository as repositoryOf,
  type Slot,
} from '@slotkeeper/core'
import type { Bodies } from './bodies.ts'

/** So many wait: controllers ask for nothing more. */
const ENOUGH_WAITING = 40

/** What somebody wants. */
interface Wish {
  readonly key: RepositoryKey
  readonly run: RunKey
  readonly call: number
  readonly priority: number
}

/** One wish of one caller, of whatever kind. */
export async function wish(bodies: Bodies): Promise<void> {
  const what = bodies.random.below(100)
  if (what < 40) await withSlot(bodies)
  else if (what < 65) await waitForSlot(bodies)
  else if (what < 80) await tryOnce(bodies, false)
  else if (what < 88) await tryOnce(bodies, true)
  else await enqueue(bodies)
}

function asked(bodies: Bodies, mode: 'try' | 'wait' | 'enqueue'): Wish {
  const call = bodies.call()
  const key = bodies.repository()
  const run: RunKey = `torture/${call}`
  const priority = mode === 'try' ? 0 : bodies.random.below(3)
  bodies.say({ event: 'asked', repository: key, run, call, mode, priority })
  return { key, run, call, priority }
}

/** The conductor says the limits; whoever asks has no opinion. Whoever finds the run learns the call from it. */
function requestOf({ key, run, call, priority }: Wish) {
  return { repository: repositoryOf(key), run, priority, meta: { call: String(call) } }
}

async function withSlot(bodies: Bodies): Promise<void> {
  const wish = asked(bodies, 'wait')
  let began = false
  try {
    await bodies.manager.withSlot(requestOf(wish), async (slot) => {
      began = true
      bodies.granted(slot, wish.call)
      await bodies.work(slot, wish.call)
    })
  } catch (error) {
    if (began) throw error
    bodies.failed(wish.key, wish.run, wish.call, error)
    await rest(bodies)
  }
}

/** Waits, impatiently at times, and frees by itself. */
async function waitForSlot(bodies: Bodies): Promise<void> {
  const wish = asked(bodies, 'wait')
  const { random } = bodies
  const impatient = random.chance(0.3)
  const controller = new AbortController()
  const reason = new Error('impatient')
  const giveUp = impatient ? setTimeout(() => controller.abort(reason), random.below(40)) : undefined
  let slot: Slot
  try {
    slot = await bodies.manager.waitForSlot({ ...requestOf(wish), signal: controller.signal })
  } catch (error) {
    if (error !== reason) bodies.failed(wish.key, wish.run, wish.call, error)
    else
      bodies.say({
        event: 'failed',
        repository: wish.key,
        run: wish.run,
        call: wish.call,
        reason: 'impatient',
      })
    return rest(bodies)
  } finally {
    clearTimeout(giveUp)
  }
  bodies.granted(slot, wish.call)
  await bodies.work(slot, wish.call)
  await bodies.release(slot, wish.call)
}

async function tryOnce(bodies: Bodies, durable: boolean): Promise<void> {
  const wish = asked(bodies, 'try')
  const { key: repository, run, call } = wish
  const request = { ...requestOf(wish), durable }
  try {
    const outcome = await bodies.manager.acquireSlot(request)
    if (outcome.kind === 'granted') {
      bodies.granted(outcome.slot, call)
      if (bodies.random.chance(0.2)) await askAgain(bodies, request, call)
      await bodies.work(outcome.slot, call)
      await bodies.release(outcome.slot, call)
    } else {
      const reason = outcome.kind === 'refused' ? outcome.reason : outcome.kind
      bodies.say({ event: 'refused', repository, run, call, reason })
      await rest(bodies)
    }
  } catch (error) {
    bodies.failed(repository, run, call, error)
    await rest(bodies)
  }
}

/** The same run asked again by the same Manager: the same lease, as long as it is held. */
async function askAgain(bodies: Bodies, request: ReturnType<typeof requestOf>, call: number): Promise<void> {
  try {
    const again = await bodies.manager.acquireSlot(request)
    if (again.kind !== 'granted') return
    bodies.granted(again.slot, call, { again: again.again })
    // Its holder was lost in between, and this is a new slot: it is not worked under.
    if (again.again) return
    bodies.over(again.slot, call)
    await bodies.release(again.slot, call)
  } catch (error) {
    if (!isSlotkeeperError(error)) throw error
  }
}

/** A durable entry, repeated until it is known to be there. Whichever controller gets it does the work. */
async function enqueue(bodies: Bodies): Promise<void> {
  const { manager, random } = bodies
  const key = bodies.repository()
  try {
    if ((await manager.getCurrentSlots(key)).waiting > ENOUGH_WAITING) return await rest(bodies)
  } catch (error) {
    if (!isSlotkeeperError(error)) throw error
    return rest(bodies)
  }
  const wish = asked(bodies, 'enqueue')
  const { repository, run, priority, meta } = requestOf(wish)
  for (;;)
    try {
      await manager.queueManager.addToPendingQueue(repository, [{ run, priority, meta }])
      bodies.say({ event: 'enqueued', repository: key, run, call: wish.call })
      break
    } catch (error) {
      if (!isSlotkeeperError(error) || !error.retryable) throw error
      await sleep(random.below(20))
    }
  await sleep(20 + random.below(60))
}

/** Nobody asks again at once. */
function rest({ random }: Bodies): Promise<void> {
  return sleep(1 + random.below(20))
}
