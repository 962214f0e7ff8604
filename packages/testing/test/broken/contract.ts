/** What is in the contract of drivers by name: limits, removal, identifiers, reads, batches, the driver's life. */
import type { Driver, Query, RepositoryKey, RunKey, RunRow, Snapshot } from '@slotkeeper/core/driver'
import { InternalError, isSlotkeeperError } from '@slotkeeper/core/driver'
import { memoryDriver } from '@slotkeeper/driver-memory'
import {
  type BrokenDriver,
  later,
  memory,
  misjudging,
  replacing,
  sectioned,
  storeOf,
  wrap,
} from './breaking.ts'
import { sqlite } from './sqlite.ts'

/** A driver that keeps other keys than it was given. */
function keyed(change: (key: string) => string): (store: string) => Driver {
  const repository = (key: RepositoryKey) => change(key) as RepositoryKey
  const run = (key: RunKey) => change(key) as RunKey
  const asked = (query: Query): Query => {
    if (query.kind === 'runs')
      return {
        ...query,
        runs: query.runs.map((one) => ({ repository: repository(one.repository), run: run(one.run) })),
      }
    if (query.kind !== 'repository') return query
    return { ...query, repository: repository(query.repository), run: query.run && run(query.run) }
  }
  return (store) => {
    const renaming = replacing((command) => {
      const key = repository(command.repository)
      return 'run' in command
        ? { ...command, repository: key, run: run(command.run) }
        : { ...command, repository: key }
    }, later)(store)
    return wrap(renaming, {
      async transact(batch, decide, signal) {
        const sent = batch.map((one) => ({ ...one, domain: change(one.domain) }))
        await renaming.transact(sent, decide, signal)
        for (const [at, one] of batch.entries()) {
          const { decision, error, events } = sent[at] as (typeof sent)[0]
          Object.assign(one, { decision, error, events })
        }
      },
      read: (query, signal) => renaming.read(asked(query), signal),
    })
  }
}

/** A driver whose answers to queries are not what was read. */
function answering(change: (snapshot: Snapshot, query: Query) => Snapshot): (store: string) => Driver {
  return (store) => {
    const inner = later(store)
    return wrap(inner, { read: async (query, signal) => change(await inner.read(query, signal), query) })
  }
}

const NOTHING: Snapshot = { now: 0, wall: 0, repositories: [], runs: [], holders: [], place: undefined }

export const contract: readonly BrokenDriver[] = [
  {
    name: 'takes a limit from an older generation',
    rule: 'limits',
    make: misjudging((row) => {
      if (row.local !== undefined) row.local = { ...row.local, generation: undefined }
      return undefined
    }),
  },
  {
    name: 'keeps the first limit for ever',
    rule: 'limits',
    make: replacing((command, section) => {
      const local = section.repository(command.repository)?.local
      return 'proposal' in command && local !== undefined ? { ...command, proposal: local } : command
    }),
  },
  {
    name: 'lets a removed uid come back',
    rule: 'limits',
    make: misjudging((row) => {
      row.removedUids = []
      return undefined
    }),
  },
  {
    name: 'leaves a repository behind when its slots are removed (SQLite)',
    rule: 'removal',
    make: sectioned(
      (section) => ({
        droppedRepository(row) {
          row.status = 'present'
          section.savedRepository(row)
        },
      }),
      sqlite,
    ),
  },
  {
    name: 'removes a repository at the word of an earlier life',
    rule: 'removal',
    make: replacing((command) =>
      command.kind === 'remove-repository' ? { ...command, uid: undefined } : command,
    ),
  },
  {
    name: 'removes the next life of a repository with the one before',
    rule: 'removal',
    make: replacing((command) =>
      command.kind === 'remove-repository' ? { ...command, begun: false } : command,
    ),
  },
  { name: 'folds the case of keys', rule: 'identifiers', make: keyed((key) => key.toLowerCase()) },
  { name: 'normalises keys', rule: 'identifiers', make: keyed((key) => key.normalize('NFC')) },
  { name: 'trims keys', rule: 'identifiers', make: keyed((key) => key.trimEnd()) },
  { name: 'cuts keys at 255 characters', rule: 'identifiers', make: keyed((key) => key.slice(0, 255)) },
  {
    name: 'takes _ in keys for any character',
    rule: 'identifiers',
    make: keyed((key) => key.replaceAll('%', '_')),
  },
  {
    name: 'reads what was true a moment ago',
    rule: 'reads',
    make: (store) => {
      const inner = later(store)
      const known = new Map<string, Snapshot>()
      return wrap(inner, {
        async read(query, signal) {
          const key = JSON.stringify(query)
          const before = known.get(key)
          const now = await inner.read(query, signal)
          known.set(key, now)
          return before === undefined ? now : { ...before, now: now.now, wall: now.wall }
        },
      })
    },
  },
  {
    name: 'reads less of a holder than it has',
    rule: 'reads',
    make: answering((snapshot, query) =>
      query.kind === 'holder'
        ? { ...snapshot, runs: snapshot.runs.filter((row) => row.phase === 'running') }
        : snapshot,
    ),
  },
  {
    name: 'counts parked entries in a place',
    rule: 'reads',
    make: answering((snapshot) => {
      const { place } = snapshot
      const parked = snapshot.repositories[0]?.parked ?? 0
      return { ...snapshot, place: typeof place === 'number' ? place + parked : place }
    }),
  },
  {
    name: 'repeats the last repository of a page on the next',
    rule: 'reads',
    make: (store) => {
      const inner = later(store)
      return wrap(inner, {
        read: (query, signal) =>
          inner.read(
            query.kind === 'repositories' ? { ...query, after: query.after.slice(0, -1) } : query,
            signal,
          ),
      })
    },
    only: /page after page/,
  },
  {
    name: 'does not keep what a caller noted on a run',
    rule: 'reads',
    make: answering((snapshot) => ({
      ...snapshot,
      runs: snapshot.runs.map((row) => ({ ...row, meta: undefined })),
    })),
  },
  {
    name: 'hands out its own rows',
    rule: 'reads',
    make: (store) => {
      const inner = later(store)
      const own = (row: RunRow) => storeOf(store).shelf(row.repository).runs.get(row.run) ?? row
      return wrap(inner, {
        async read(query, signal) {
          const snapshot = await inner.read(query, signal)
          return { ...snapshot, runs: snapshot.runs.map(own) }
        },
      })
    },
  },
  {
    name: 'fails all domains with one',
    rule: 'batches',
    make: (store) => {
      const inner = later(store)
      return wrap(inner, {
        async transact(batch, decide, signal) {
          await inner.transact(batch, decide, signal)
          const error = batch.find((one) => one.error !== undefined)?.error
          if (error !== undefined) for (const one of batch) Object.assign(one, { error, decision: undefined })
        },
      })
    },
  },
  {
    name: 'commits what failed (SQLite)',
    rule: 'batches',
    make: (store) => {
      const inner = sqlite(store)
      return wrap(inner, {
        async transact(batch, decide, signal) {
          const failed = new Map<string, unknown>()
          await inner.transact(
            batch,
            (section, commands) => {
              try {
                return decide(section, commands)
              } catch (error) {
                failed.set(section.domain, error)
                return { decided: commands.length, more: false, granted: [] }
              }
            },
            signal,
          )
          for (const one of batch)
            if (failed.has(one.domain)) {
              one.decision = undefined
              one.error = new InternalError(`Deciding for ${one.domain} failed.`, failed.get(one.domain))
            }
        },
      })
    },
  },
  {
    name: 'knows no budget',
    rule: 'batches',
    make: sectioned(() => ({ left: 1_000_000 })),
    only: /does not fit/,
  },
  {
    name: 'forgets that there is more to do (SQLite)',
    rule: 'batches',
    make: sectioned((section) => ({ savedGuard: (until) => section.savedGuard(until, false) }), sqlite),
    only: /does not fit/,
  },
  {
    name: 'tells a domain as failed that was never tried, as if it might have been',
    rule: 'batches',
    make: (store) => {
      const inner = later(store)
      return wrap(inner, {
        async transact(batch, decide, signal) {
          await inner.transact(batch, decide, signal)
          for (const one of batch) if (one.error !== undefined) Object.assign(one.error, { retryable: true })
        },
      })
    },
    only: /whose decision fails/,
  },
  {
    name: 'makes the schema when it should only check it (SQLite)',
    rule: 'driver',
    make: (store) => {
      const inner = sqlite(store)
      return wrap(inner, { open: (_options, signal) => inner.open({ schema: 'migrate' }, signal) })
    },
  },
  {
    name: 'forgets everything when it is closed',
    rule: 'driver',
    make: () => memoryDriver(),
    only: /after every driver was closed/,
  },
  {
    name: 'swallows failures into empty answers',
    rule: 'driver',
    make: (store) => {
      const inner = later(store)
      return wrap(inner, {
        async read(query, signal) {
          try {
            return await inner.read(query, signal)
          } catch (error) {
            if (isSlotkeeperError(error)) return NOTHING
            throw error
          }
        },
      })
    },
    only: /closing twice/,
  },
  {
    name: 'goes on working when it is closed',
    rule: 'driver',
    make: (store) => wrap(memory(store), { close() {} }),
    only: /closing twice/,
  },
  {
    name: 'fails when it is closed twice',
    rule: 'driver',
    make: (store) => {
      const inner = later(store)
      let closed = false
      return wrap(inner, {
        close() {
          if (closed) throw new InternalError('It is closed.')
          closed = true
          return inner.close()
        },
      })
    },
    only: /closing twice/,
  },
]
