/** Rules 3 to 6, 12 and 14, and withdrawal: who is next, who is who, and what a command may do. */
import { type Command, isFinal, isSlot, type RunKey, ticketSource } from '@slotkeeper/core/driver'
import {
  type BrokenDriver,
  isAcquire,
  meddling,
  misjudging,
  preceding,
  replacing,
  rowOf,
  saving,
  sectioned,
} from './breaking.ts'

const fresh = ticketSource('broken')

/** Leaves the queue, or the slot, that `command` is about. */
function leave(command: Command & { readonly run: RunKey }, kind: 'remove' | 'finish'): Command {
  const { repository, run } = command
  return { kind, repository, run, ticket: fresh(), state: 'completed', outcome: undefined } as Command
}

export const orderAndIdentity: readonly BrokenDriver[] = [
  {
    name: 'barges: acquireSlot passes the queue',
    rule: '3',
    make: sectioned((section, commands) => {
      let unseen =
        commands.length > 1 ? commands.filter((one) => isAcquire(one) && one.mode === 'try').length : 0
      return { head: (repository) => (unseen-- > 0 ? undefined : section.head(repository)) }
    }),
  },
  {
    name: 'takes no notice of priorities',
    rule: '3',
    make: replacing((command) => (isAcquire(command) ? { ...command, priority: 0 } : command)),
  },
  {
    name: 'inverts the priorities of one batch',
    rule: '3',
    make: replacing((command, _section, commands) =>
      isAcquire(command) && commands.filter(isAcquire).length > 1
        ? { ...command, priority: -command.priority }
        : command,
    ),
  },
  {
    name: 'lets the last of equals go first',
    rule: '3',
    make: saving((row, was) => {
      if (row.phase === 'waiting' && was !== 'waiting' && row.sequence > 0)
        (row as { sequence: number }).sequence *= -1
    }),
  },
  {
    name: 'enqueues whoever only tried',
    rule: '3',
    make: (store) => {
      const waits = replacing((command) => (isAcquire(command) ? { ...command, mode: 'wait' } : command))
      return meddling(
        () => {},
        (_section, commands) => {
          for (const command of commands)
            if (isAcquire(command) && command.mode === 'try' && command.outcome?.kind === 'waiting')
              command.outcome = { kind: 'refused', reason: 'limit', running: 1, limit: 1 }
        },
        waits,
      )(store)
    },
  },
  {
    name: 'sends whoever asks again to the end of the queue',
    rule: '3',
    make: preceding((command, section) =>
      isAcquire(command) && rowOf(section, command)?.phase === 'waiting'
        ? leave(command, 'remove')
        : undefined,
    ),
  },
  {
    name: 'tells places from 0',
    rule: '3',
    make: sectioned((section) => ({
      place: (row) => {
        const place = section.place(row)
        return typeof place === 'number' ? place - 1 : place
      },
    })),
  },
  {
    name: 'gives a holder that asks again another lease',
    rule: '4',
    make: meddling((section, commands) => {
      for (const command of commands) {
        const row = rowOf(section, command)
        const repository = section.repository(command.repository)
        if (isAcquire(command) && row?.phase === 'running' && row.holder === command.holder && repository)
          row.token = ++repository.lastToken
      }
    }),
  },
  {
    name: 'gives a run that another one holds to whoever asks',
    rule: '4',
    make: meddling((section, commands) => {
      for (const command of commands) {
        const row = rowOf(section, command)
        if (isAcquire(command) && row?.phase === 'running') row.holder = command.holder
      }
    }),
  },
  {
    name: 'frees on an old lease',
    rule: '4',
    make: replacing((command, section) =>
      command.kind === 'release' ? { ...command, token: rowOf(section, command)?.token ?? 0 } : command,
    ),
  },
  {
    name: 'says of a second release that it freed the slot',
    rule: '4',
    make: meddling(
      () => {},
      (_section, commands) => {
        for (const command of commands)
          if (command.kind === 'release' && command.outcome?.kind === 'already-released')
            command.outcome = { kind: 'released', freed: false, promoted: [] }
      },
    ),
  },
  {
    name: 'obeys commands that are no longer valid',
    rule: '4',
    make: replacing((command) => ('validUntil' in command ? { ...command, validUntil: 0 } : command)),
  },
  {
    name: 'recognises no command that comes again: its ticket is not stored',
    rule: '4',
    make: replacing((command) => (isAcquire(command) ? { ...command, ticket: fresh() } : command)),
  },
  {
    name: 'grants again what was granted and given back, when the call is delivered twice',
    rule: '12',
    make: meddling((section, commands) => {
      for (const command of commands) {
        const row = rowOf(section, command)
        if (isAcquire(command) && row?.phase === 'record') row.ticket = ''
      }
    }),
  },
  {
    name: 'forgets who got the place of an ended run',
    rule: '12',
    make: meddling((section, commands) => {
      for (const command of commands) {
        const row = rowOf(section, command)
        if (row?.phase === 'record') row.successor = undefined
      }
    }),
  },
  {
    name: 'loses an entry on retry',
    rule: '5',
    only: /^5/,
    make: meddling(
      () => {},
      (section, commands) => {
        for (const command of commands)
          if (isAcquire(command) && command.outcome?.kind === 'waiting' && command.mode === 'enqueue') {
            const { row } = command.outcome
            const repository = section.repository(command.repository)
            if (row.ticket === command.ticket || repository === undefined) continue
            repository.waiting--
            section.dropped(row, 'waiting')
          }
      },
    ),
  },
  {
    name: 'loses an entry that is enqueued while another one is granted',
    rule: '5',
    only: /^5/,
    make: meddling(
      () => {},
      (section, commands) => {
        if (!commands.some(({ outcome }) => outcome?.kind === 'granted')) return
        for (const { outcome } of commands) {
          const repository = [...section.repositories][0]
          if (outcome?.kind !== 'waiting' || repository === undefined) continue
          repository.waiting--
          section.dropped(outcome.row, 'waiting')
        }
      },
    ),
  },
  {
    name: 'frees the slot of a run whose state is set to its end',
    rule: '5',
    make: preceding((command, section) =>
      command.kind === 'run-state' &&
      isFinal(command.state) &&
      isSlot(rowOf(section, command)?.phase ?? 'record')
        ? leave(command, 'finish')
        : undefined,
    ),
  },
  {
    name: 'takes a waiting run out of the queue when its state is set',
    rule: '5',
    make: preceding((command, section) =>
      command.kind === 'run-state' && rowOf(section, command)?.phase === 'waiting'
        ? leave(command, 'remove')
        : undefined,
    ),
  },
  {
    name: 'lets states go backwards',
    rule: '6',
    make: meddling((section, commands) => {
      for (const command of commands) {
        const row = rowOf(section, command)
        if (command.kind === 'run-state' && row?.state === 'started') row.state = undefined
      }
    }),
  },
  {
    name: 'takes the last word for the state, although the run is over',
    rule: '6',
    make: meddling((section, commands) => {
      for (const command of commands) {
        const row = rowOf(section, command)
        if (command.kind === 'run-state' && row !== undefined && isFinal(row.state)) row.state = undefined
      }
    }),
  },
  {
    name: 'queues a finished attempt again',
    rule: '6',
    make: replacing((command) => (isAcquire(command) ? { ...command, runUid: undefined } : command)),
  },
  {
    name: 'keeps records for ever',
    rule: '6',
    only: /forgotten/,
    make: saving((row) => {
      if (row.phase === 'record') row.dueAt = Number.MAX_SAFE_INTEGER
    }),
  },
  {
    name: 'forgets at once what was',
    rule: '6',
    make: meddling(
      () => {},
      (section, commands) => {
        for (const command of commands) {
          const row = rowOf(section, command)
          if (row?.phase === 'record' && row.ending !== undefined) section.dropped(row, 'record')
        }
      },
    ),
  },
  {
    name: 'withdraws what a newer ticket led to',
    rule: 'withdrawal',
    make: replacing((command, section) =>
      command.kind === 'withdraw'
        ? { ...command, of: rowOf(section, command)?.ticket ?? command.of }
        : command,
    ),
  },
  {
    name: 'withdraws nothing',
    rule: 'withdrawal',
    only: /own ticket/,
    make: replacing((command) => (command.kind === 'withdraw' ? { ...command, of: 'nobody' } : command)),
  },
  {
    name: 'grants while paused',
    rule: '14',
    make: misjudging((row, _section, commands) => {
      if (row.state !== 'paused' || commands.some(({ kind }) => kind === 'repository-state')) return undefined
      row.state = 'active'
      return () => {
        row.state = 'paused'
      }
    }),
  },
  {
    name: 'enqueues while draining',
    rule: '14',
    make: misjudging((row, _section, commands) => {
      if (row.state !== 'draining' || commands.some(({ kind }) => kind === 'repository-state'))
        return undefined
      row.state = 'paused'
      return () => {
        row.state = 'draining'
      }
    }),
  },
]
