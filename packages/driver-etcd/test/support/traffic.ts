import { setTimeout as sleep } from 'node:timers/promises'
import type { RunKey } from '@slotkeeper/core'
import { expect } from 'vitest'
import { managerOf, repo, until } from './store.ts'

/** Managers whose bodies take slots all the time, and what these saw. */
export interface Traffic {
  /** The fencing tokens of all grants. */
  readonly tokens: readonly bigint[]
  /** Comes about once twenty more slots were granted. */
  goesOn(what: string): Promise<void>
  /** Ends it, and holds what was seen against the rules. */
  end(): Promise<void>
}

/** Two processes' worth of Managers with three bodies each, in one repository of this limit. */
export function traffic(endpoints: readonly string[], limit: number): Traffic {
  const managers = [0, 1].map(() => managerOf({ endpoints }, { holderTtlMs: 10_000, callTimeoutMs: 3000 }))
  const controller = new AbortController()
  const { signal } = controller
  const tokens: bigint[] = []
  let held = 0
  let most = 0
  const body = async (manager: (typeof managers)[0], name: string) => {
    for (let n = 0; !signal.aborted; n++)
      try {
        const run: RunKey = `acme/${name}-${n}`
        const slot = await manager.waitForSlot({ repository: repo(limit), run, signal })
        // Who is not sure to hold it any more is not counted.
        if (slot.isHeld) {
          held++
          most = Math.max(most, held)
          tokens.push(slot.fencingToken)
          await sleep(1)
          held--
        }
        await slot.release()
      } catch (error) {
        if (signal.aborted) return
        expect(error).toMatchObject({ retryable: true })
      }
  }
  const bodies = managers.flatMap((manager, m) => [0, 1, 2].map((n) => body(manager, `${m}-${n}`)))
  return {
    tokens,
    async goesOn(what) {
      const before = tokens.length
      await until(`slots are granted ${what}`, () => tokens.length > before + 20)
    },
    async end() {
      controller.abort()
      const ends = await Promise.allSettled(bodies)
      expect(ends.filter(({ status }) => status === 'rejected')).toEqual([])
      expect(most).toBeLessThanOrEqual(limit)
      expect(new Set(tokens).size).toBe(tokens.length)
      console.log(`traffic: ${tokens.length} grants, ${most} at once`)
    },
  }
}
