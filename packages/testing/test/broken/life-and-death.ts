/** Rules 7 to 11 and durable runs: who is woken, who is alive, and what is left behind. */
import { type Driver, isSlotkeeperError, systemClock, type WatchEvent } from '@slotkeeper/core/driver'
import { memoryDriver } from '@slotkeeper/driver-memory'
import {
  type BrokenDriver,
  deciding,
  isAcquire,
  later,
  meddling,
  memory,
  rowOf,
  saving,
  sectioned,
  storeOf,
  wrap,
} from './breaking.ts'
import { sqlite } from './sqlite.ts'

/** A driver that passes on only some of its hints. */
function hinting(keep: (hint: WatchEvent, at: number) => boolean, make = memory): (store: string) => Driver {
  return (store) => {
    const inner = make(store)
    return wrap(inner, {
      async *watch(options) {
        let at = 0
        for await (const hint of inner.watch(options)) if (keep(hint, at++)) yield hint
      },
    })
  }
}

/** A driver that tells other holders' times than its store keeps. */
function living(factor: number, told = 1): (store: string) => Driver {
  return (store) => {
    const inner = later(store)
    return wrap(inner, {
      openHolder: async (holder, ttlMs) => ({
        ...(await inner.openHolder(holder, ttlMs * factor)),
        ttlMs: ttlMs * told,
      }),
      heartbeat: async (holder) => {
        const term = await inner.heartbeat(holder)
        return { ...term, ttlMs: (term.ttlMs / factor) * told }
      },
    })
  }
}

let ahead = 0

export const lifeAndDeath: readonly BrokenDriver[] = [
  {
    name: 'misses wake-ups: drops every other event without a resync',
    rule: '7',
    make: hinting((hint, at) => hint.kind === 'resync' || at % 2 === 0),
  },
  {
    name: 'tells of no grant',
    rule: '7',
    only: /notification alone|hinted at/,
    make: hinting((hint) => hint.kind !== 'event' || hint.event.kind !== 'granted'),
  },
  {
    name: 'drops what a slow reader did not fetch, and says nothing of it',
    rule: '7',
    make: hinting((hint, at) => hint.kind === 'event' || at === 0),
  },
  {
    name: 'begins a watch without a resync',
    rule: '7',
    only: /begins with a resync/,
    make: hinting((hint) => hint.kind === 'event'),
  },
  {
    name: 'tells other processes nothing unless they watch the repository (SQLite)',
    rule: '7',
    only: /a holder hears/,
    make: sectioned(
      (section) => ({
        emit(...event) {
          if (section.guard.watchedUntil > section.now) section.emit(...event)
        },
      }),
      sqlite,
    ),
  },
  {
    name: 'leaves promotion to whoever looks next',
    rule: '7',
    only: /notification alone|with one write/,
    make: sectioned((section, commands) => ({
      head: (key) => (commands.some(({ kind }) => kind === 'release') ? undefined : section.head(key)),
    })),
  },
  {
    name: 'leaves watches open when it is closed',
    rule: '7',
    only: /a watch ends/,
    make: (store) => {
      const inner = later(store)
      return wrap(inner, { watch: (options) => memory(store).watch(options) })
    },
  },
  { name: 'never lets a holder expire', rule: '8', only: /silent|stopped beating/, make: living(1000) },
  {
    name: 'lets holders expire at a tenth of their time',
    rule: '8',
    only: /while it beats/,
    make: living(0.1),
  },
  {
    name: 'lets holders expire at half their time',
    rule: '8',
    only: /while it beats|good until/,
    make: living(0.5),
  },
  {
    name: "uses the client's clock",
    rule: '8',
    only: /wrong wall clocks/,
    alone: true,
    make: (store) =>
      memoryDriver({ store: storeOf(store), clock: { ...systemClock, monotonic: () => Date.now() } }),
  },
  {
    name: 'revives a dead holder by a late heartbeat',
    rule: '8',
    only: /dead for ever/,
    make: (store) => {
      const inner = later(store)
      return wrap(inner, {
        async heartbeat(holder) {
          try {
            return await inner.heartbeat(holder)
          } catch (error) {
            if (!isSlotkeeperError(error, 'SLOTKEEPER_HOLDER_LOST')) throw error
            return inner.openHolder(holder, 300)
          }
        },
      })
    },
  },
  {
    name: 'grants to a dead holder',
    rule: '8',
    only: /dead/,
    make: sectioned((section, commands) => ({
      holder: (holder) =>
        commands.some((command) => isAcquire(command) && command.holder === holder)
          ? { holder, expiresAt: Number.POSITIVE_INFINITY, dead: false, epoch: 0 }
          : section.holder(holder),
    })),
  },
  {
    name: 'does not close holders',
    rule: '8',
    only: /closed holder/,
    make: (store) => wrap(memory(store), { closeHolder() {} }),
  },
  {
    name: 'ends a durable slot with its holder',
    rule: '8',
    make: sectioned((section) => ({
      overdue() {
        const row = section.overdue()
        if (row?.phase === 'running') row.durable = false
        return row
      },
    })),
    only: /orphaned/,
  },
  {
    name: 'does not count orphaned slots',
    rule: '8',
    only: /still counted/,
    make: saving((row, was, section) => {
      const repository = section.repository(row.repository)
      if (row.phase === 'orphaned' && was === 'running' && repository !== undefined) repository.live--
    }),
  },
  {
    name: 'lets an adopted slot keep its lease',
    rule: '8',
    only: /is adopted/,
    make: (store) =>
      deciding(memory(store), (decide) => (section, commands) => {
        const before = commands.map((command) => rowOf(section, command)?.token)
        const decision = decide(section, commands)
        for (const [at, command] of commands.entries())
          if (command.kind === 'adopt' && command.outcome?.kind === 'granted') {
            command.outcome.row.token = before[at] as number
            Object.assign(command.outcome, { token: before[at] })
          }
        return decision
      }),
  },
  {
    name: 'raises no epoch',
    rule: '8',
    only: /epoch/,
    make: sectioned(() => ({ bump() {} })),
  },
  {
    name: 'raises the epoch of whoever asks',
    rule: '8',
    only: /epoch/,
    make: sectioned((section) => ({
      bump(holder) {
        section.bump(holder)
        if (section.by !== undefined) section.bump(section.by)
      },
    })),
  },
  {
    name: 'hides overdue rows',
    rule: '8',
    only: /settled by the next decision|sweep named/,
    make: sectioned(() => ({ overdue: () => undefined, overdueLeft: false })),
  },
  {
    name: 'lets everybody sweep the same domains',
    rule: '8',
    only: /sweep/,
    make: (store) => {
      const inner = later(store)
      return wrap(inner, {
        sweep(budget) {
          for (const shelf of storeOf(store).shelves.values()) shelf.sweptUntil = 0
          return inner.sweep(budget)
        },
      })
    },
  },
  {
    name: 'sweeps beyond its budget',
    rule: '8',
    only: /budget/,
    make: (store) => {
      const inner = later(store)
      return wrap(inner, { sweep: (budget) => inner.sweep(budget * 3) })
    },
  },
  {
    name: 'sweeps nothing',
    rule: '8',
    only: /crashed process|sweep/,
    make: (store) => wrap(memory(store), { sweep: () => ({ domains: [], more: false }) }),
  },
  {
    name: 'gives what was once claimed by a sweeper to nobody else',
    rule: '8',
    only: /died over/,
    make: (store) => {
      const inner = later(store)
      return wrap(inner, {
        async sweep(budget) {
          const { domains, more } = await inner.sweep(budget)
          for (const domain of domains) storeOf(store).shelf(domain).sweptUntil = Number.POSITIVE_INFINITY
          return { domains, more }
        },
      })
    },
  },
  {
    name: 'has a clock of its own in each process',
    rule: '8',
    only: /while it beats|tells the store time/,
    make: (store) => {
      const offMs = 10_000 * ++ahead
      const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + offMs }
      return memoryDriver({ store: storeOf(store), clock })
    },
  },
  {
    name: 'keeps no place for who waits through an outage',
    rule: '10',
    only: /longer than the TTL/,
    make: saving((row, was, section) => {
      const repository = section.repository(row.repository)
      if (row.phase === 'waiting' && was === 'record' && repository !== undefined)
        (row as { sequence: number }).sequence = ++repository.lastSequence
    }),
  },
  {
    name: 'leaves a timer when it is closed',
    rule: '11',
    only: /leave no timers/,
    alone: true,
    make: (store) => {
      const inner = later(store)
      return wrap(inner, {
        open(options) {
          setInterval(() => {}, 60_000)
          return inner.open(options)
        },
      })
    },
  },
  {
    name: 'leaves the holder of a closed Manager alive',
    rule: '11',
    only: /no worker slot left/,
    make: (store) => wrap(memory(store), { closeHolder() {} }),
  },
  {
    name: 'does not come to an end when it is closed',
    rule: '11',
    only: /ends every wait/,
    make: (store) => wrap(later(store), { close: () => new Promise<void>(() => {}) }),
  },
  {
    name: 'lets everybody claim a reservation',
    rule: 'durable',
    make: meddling((section, commands) => {
      for (const command of commands) {
        const row = rowOf(section, command)
        if (command.kind === 'claim' && row?.phase === 'running') row.holder = command.holder
      }
    }),
    only: /who claim/,
  },
  {
    name: 'lets a dead holder claim',
    rule: 'durable',
    make: sectioned((section, commands) => ({
      holder: (holder) =>
        commands.some((command) => command.kind === 'claim' && command.holder === holder)
          ? { holder, expiresAt: Number.POSITIVE_INFINITY, dead: false, epoch: 0 }
          : section.holder(holder),
    })),
  },
  {
    name: 'waits for ever for a claim',
    rule: 'durable',
    only: /unclaimed/,
    make: saving((row) => {
      if (row.phase === 'reserved') row.dueAt = undefined
    }),
  },
  {
    name: 'sends a parked entry to the end of the queue',
    rule: 'durable',
    make: saving((row, was, section) => {
      const repository = section.repository(row.repository)
      const parked = (row as { at?: number }).at === -1
      if (row.phase === 'waiting' && was === 'waiting' && parked && repository !== undefined)
        (row as { sequence: number }).sequence = ++repository.lastSequence
    }),
  },
  {
    name: 'sends a slot that was given back to the end of the queue',
    rule: 'durable',
    make: saving((row, was, section) => {
      const repository = section.repository(row.repository)
      if (row.phase === 'waiting' && (was === 'running' || was === 'reserved') && repository !== undefined)
        (row as { sequence: number }).sequence = ++repository.lastSequence
    }),
  },
]
