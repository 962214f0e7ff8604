/** Rules 1, 2 and 13: how many slots there are, and what they are told apart by. */
import type { Driver } from '@slotkeeper/core/driver'
import { limitOf } from '@slotkeeper/core/driver'
import { type BrokenDriver, grantsOf, meddling, misjudging, sectioned } from './breaking.ts'
import { sqlite } from './sqlite.ts'

/** What one process believes, whatever the others did. */
function ofThisProcess(make: (known: Map<string, number>) => (store: string) => Driver) {
  return (store: string) => make(new Map())(store)
}

export const slotsAndTokens: readonly BrokenDriver[] = [
  {
    name: 'over-admits by one',
    rule: '1',
    make: misjudging((row) => {
      if (row.live !== limitOf(row) || row.live === 0) return undefined
      row.live--
      return () => void row.live++
    }),
  },
  {
    name: 'counts only what its own process granted (SQLite)',
    rule: '1',
    make: ofThisProcess((own) =>
      misjudging((row) => {
        const { live } = row
        const before = own.get(row.repository) ?? 0
        row.live = before
        return () => {
          own.set(row.repository, row.live)
          row.live += live - before
        }
      }, sqlite),
    ),
  },
  {
    name: 'refuses from what was true when it last looked (SQLite)',
    rule: '1',
    make: ofThisProcess((last) =>
      misjudging((row) => {
        const { live } = row
        const before = Math.max(live, last.get(row.repository) ?? 0)
        row.live = before
        return () => {
          last.set(row.repository, live + row.live - before)
          row.live += live - before
        }
      }, sqlite),
    ),
  },
  {
    name: 'takes a lowered limit for a full one: each slot that ends makes room',
    rule: '1',
    make: misjudging((row) => {
      const over = row.live - limitOf(row)
      if (limitOf(row) === 0 || over <= 0) return undefined
      row.live -= over
      return () => {
        row.live += over
      }
    }),
  },
  {
    name: 'does not count unlimited runs',
    rule: '1',
    make: misjudging((row) => {
      const { live } = row
      return () => {
        if (limitOf(row) === 0 && row.live > live) row.live = live
      }
    }),
  },
  {
    name: 'forgets which slot numbers are taken',
    rule: '1',
    make: misjudging((row) => {
      row.numbers = []
      return undefined
    }),
  },
  {
    name: 'gives two grants of one commit the same token',
    rule: '2',
    make: meddling(
      () => {},
      (_section, commands, decision) => {
        const rows = grantsOf(commands, decision)
        for (const row of rows) row.token = rows[0]?.token ?? 0
        for (const { outcome } of commands)
          if (outcome !== undefined && 'token' in outcome)
            Object.assign(outcome, { token: outcome.row.token })
      },
    ),
  },
  {
    name: 'hands the token of the released slot on to the next',
    rule: '2',
    make: meddling(
      () => {},
      (_section, commands, { granted }) => {
        const [release] = commands
        if (release?.kind === 'release' && granted[0] !== undefined) granted[0].token = release.token
      },
    ),
  },
  {
    name: 'forgets the token counter on removal',
    rule: '2',
    make: sectioned((section) => ({
      droppedRepository: (row) => section.droppedRepository({ ...row, lastToken: 0 }),
    })),
  },
  {
    name: 'takes tokens from the wall clock',
    rule: '2',
    make: meddling((section) => {
      for (const row of section.repositories)
        if (row.lastToken > (section.wall + 60_000) * 1000) row.lastToken = 0
    }),
  },
  {
    name: 'counts tokens in each process (SQLite)',
    rule: '2',
    make: ofThisProcess((own) => (store) => {
      const counting = misjudging((row) => {
        row.lastToken = own.get(row.repository) ?? 0
        return () => void own.set(row.repository, row.lastToken)
      }, sqlite)
      return sectioned(() => ({ tokenFloor: 0 }), counting)(store)
    }),
  },
  {
    name: 'gives tokens beyond the whole numbers',
    rule: '2',
    make: sectioned((section) => ({ tokenFloor: Math.max(section.tokenFloor, section.wall * 1000) })),
  },
  {
    name: 'drifts: a withdrawn entry goes on being counted',
    rule: '13',
    make: meddling(
      () => {},
      (section, commands) => {
        for (const command of commands)
          if (command.kind === 'withdraw' && command.outcome?.kind === 'withdrawn')
            for (const row of section.repositories) row.waiting++
      },
    ),
  },
  {
    name: 'drifts: parked entries are not counted as such',
    rule: '13',
    make: misjudging((row) => () => {
      row.parked = 0
    }),
  },
  {
    name: 'commits half: the slot that ended, but not what the repository counts (SQLite)',
    rule: '13',
    make: sectioned(
      (section, commands) => ({
        savedRepository(row) {
          if (!commands.some((command) => command.kind === 'finish')) section.savedRepository(row)
        },
      }),
      sqlite,
    ),
  },
]
