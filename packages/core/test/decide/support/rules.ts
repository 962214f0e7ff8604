/**
 * What must always hold, as an oracle that knows rows and events and nothing of how decisions are made. Each rule carries the number of
 * its line in the design.
 */
import type { AcquireCommand, Command } from '../../../src/commands.ts'
import type { HolderId } from '../../../src/keys.ts'
import type { RunRow, RunState } from '../../../src/rows.ts'
import { about, before, decided, hasSlot, isAdoptedBeyond, isEligible, limitOfRow, must, promoted, rowBefore, tell, wasGone, wasRemoved } from './telling.ts'
import type { Commit, Rule } from './world.ts'

/** 1. Never more live slots than the limit; only adopting a run that provably runs may exceed it. */
export function limitHolds(): Rule {
  return {
    committed(commit) {
      const limits = limitsDuring(commit)
      for (const { event, run, live } of tell(commit).told) {
        if (event.kind !== 'granted' || isAdoptedBeyond(commit, run, event.token)) continue
        const wide = limits.some(limit => limit === 0 || live < limit)
        must(wide, `1. a slot was granted to ${run} as number ${live + 1} of a limit of ${limits}`, commit)
      }
      if (commit.decision.granted.length === 0) return
      const limit = limitOfRow(commit.after.repository)
      const live = [...commit.after.runs.values()].filter(row => hasSlot(row.phase)).length
      must(limit === 0 || live <= limit, `1. after promotions there are ${live} slots of a limit of ${limit}`, commit)
    },
  }
}

function limitsDuring(commit: Commit): readonly number[] {
  const { before: was, after, changes } = commit
  const limits = [limitOfRow(after.repository)]
  if (was.repository?.status === 'present') limits.push(limitOfRow(was.repository))
  else for (const command of decided(commit)) if ('proposal' in command) limits.push(command.proposal.limit ?? 0)
  for (const event of changes.events) if (event.kind === 'limit') limits.push(Number(event.detail?.limit))
  return limits
}

/** 2. A fencing token is granted once and grows with every grant of the repository, over removal and re-creation. */
export function tokensGrow(): Rule {
  const last = new Map<string, number>()
  return {
    committed(commit) {
      const { domain, facts, after, changes } = commit
      const given = new Map<string, number>()
      for (const { kind, run, token } of changes.events) {
        if (kind !== 'granted' && kind !== 'adopted') continue
        must(Number.isSafeInteger(token) && (token as number) > (last.get(domain) ?? 0), `2. token ${token} of ${run} is not above ${last.get(domain)}`, commit)
        must((token as number) > facts.tokenFloor, `2. token ${token} of ${run} is not above the floor ${facts.tokenFloor}`, commit)
        last.set(domain, token as number)
        given.set(run as string, token as number)
      }
      for (const row of after.runs.values()) {
        const old = rowBefore(commit, row.run)
        const token = given.get(row.run) ?? old?.token ?? 0
        must(row.token === token, `2. the token of ${row.run} became ${row.token} without a grant`, commit)
        if (after.repository !== undefined) must(after.repository.lastToken >= row.token, '2. the last token is behind', commit)
      }
      must((after.repository?.lastToken ?? 0) >= (commit.before.repository?.lastToken ?? 0) || wasRemoved(commit), '2. the last token fell', commit)
    },
  }
}

/** 3. Among eligible entries the highest priority goes first, then the lowest sequence; nobody is passed. */
export function orderHolds(): Rule {
  return {
    committed(commit) {
      const { decision, after } = commit
      for (let i = 1; i < decision.granted.length; i++)
        must(before(decision.granted[i - 1] as RunRow, decision.granted[i] as RunRow) < 0, '3. promotions are not in order', commit)
      const left = [...after.runs.values()].filter(row => isEligible(commit, row))
      for (const row of decision.granted)
        for (const other of left) must(before(row, other) < 0, `3. ${row.run} was promoted before ${other.run}`, commit)
      for (const { kind, run, token, ticket } of commit.changes.events) {
        const asked = about(commit, run as RunRow['run']).find((command): command is AcquireCommand => command.kind === 'acquire' && command.ticket === ticket)
        if (kind === 'enqueued') must(asked?.mode !== 'try', `3. a try enqueued ${run}`, commit)
        if (kind !== 'granted' || run === undefined || promoted(commit, run, token) || isAdoptedBeyond(commit, run, token)) continue
        for (const other of left) {
          const old = rowBefore(commit, other.run)
          const stayed = old !== undefined && old.sequence === other.sequence && isEligible(commit, old)
          must(!stayed, `3. ${run} passed ${other.run}`, commit)
        }
      }
    },
  }
}

/** 3. Retrying, parking, adopting, requeueing and resuming never move a run; a new attempt goes to the end. */
export function placesAreKept(): Rule {
  return {
    committed(commit) {
      const { told } = tell(commit)
      const last = wasRemoved(commit) ? 0 : (commit.before.repository?.lastSequence ?? 0)
      const seen = new Set<number>()
      for (const row of commit.after.runs.values()) {
        must(!seen.has(row.sequence), `3. sequence ${row.sequence} was given twice`, commit)
        seen.add(row.sequence)
        must(row.sequence <= (commit.after.repository?.lastSequence ?? 0), '3. the last sequence is behind', commit)
        const old = rowBefore(commit, row.run)
        if (old === undefined) continue
        const ended = told.some(({ run, now }) => run === row.run && now === 'record')
        const resumed = old.phase === 'record' && old.ending === 'expired' && old.ticket === row.ticket && row.phase === 'waiting'
        if ((old.phase !== 'record' && !ended) || resumed) {
          must(row.sequence === old.sequence, `3. ${row.run} moved from ${old.sequence} to ${row.sequence}`, commit)
          must(row.priority === old.priority, `3. ${row.run} changed its priority`, commit)
        } else must(row.sequence === old.sequence || row.sequence > last, `3. ${row.run} began at an old sequence`, commit)
      }
    },
  }
}

/** 4. A slot is one caller's: a ticket that it was not given to neither takes it nor gets it as its own; a lease frees only itself. */
export function leasesAreKept(): Rule {
  return {
    committed(commit) {
      for (const { kind, run, token } of commit.changes.events) {
        if (kind !== 'released' || run === undefined) continue
        const rightful = about(commit, run).some(command => command.kind === 'finish' || (command.kind === 'release' && command.token === token))
        must(rightful, `4. the lease ${token} of ${run} was released by nobody who named it`, commit)
      }
      for (const { event, run, was } of tell(commit).told) {
        const old = commit.before.runs.get(run)
        if (event.kind !== 'withdrawn' || !hasSlot(was) || old === undefined || old.token !== event.token || !hasSlot(old.phase)) continue
        const owners = [old.grantedTo ?? old.ticket, ...about(commit, run).map(({ ticket }) => ticket)]
        const rightful = about(commit, run).some(command => command.kind === 'withdraw' && owners.includes(command.of))
        must(rightful, `4. the slot of ${run} was withdrawn by a ticket that it was not given to`, commit)
      }
      for (const row of commit.after.runs.values()) {
        const old = rowBefore(commit, row.run)
        if (old?.phase !== 'running' || row.phase !== 'running' || old.token !== row.token || old.holder === row.holder) continue
        const owner = old.grantedTo ?? old.ticket
        must(about(commit, row.run).some(({ ticket }) => ticket === owner), `4. ${row.run} was moved from ${old.holder} to ${row.holder} by others than ${owner}`, commit)
      }
      for (const command of decided(commit)) if ('run' in command) checkGrant(commit, command)
    },
  }
}

function checkGrant(commit: Commit, command: Command): void {
  const { outcome } = command
  if (outcome?.kind !== 'granted' || !('run' in command)) return
  const { run } = command
  const { told } = tell(commit)
  const was = commit.before.runs.get(run)
  const had = (was !== undefined && hasSlot(was.phase)) || told.some(one => one.run === run && hasSlot(one.now))
  must(had, `4. ${run} is said to be granted, and never had a slot`, commit, command)
  if (outcome.again || outcome.row.phase === 'reserved' || isEnqueue(command)) return
  for (const other of decided(commit)) {
    if (other === command || !('run' in other) || other.run !== run || other.ticket === command.ticket) continue
    if (other.outcome?.kind !== 'granted' || other.outcome.again || isEnqueue(other)) continue
    const ends = about(commit, run).slice(about(commit, run).indexOf(command))
    const ended = ends.some(({ kind, outcome: end }) => ['release', 'finish', 'withdraw', 'remove', 'requeue'].includes(kind) && end?.kind !== 'absent')
    must(ended, `4. one slot of ${run} was given to two tickets`, commit, command, other)
  }
}

/** An enqueuer is told what there is, be it another's by now. */
function isEnqueue(command: Command): boolean {
  return command.kind === 'acquire' && command.mode === 'enqueue'
}

/** 4, 12. Asked again after a lost answer, a command gives the outcome that was lost, and changes nothing. */
export function repetitionsAgree(): Rule {
  return {
    committed(commit) {
      const first = commit.repeats
      if (first === undefined) return
      const { told } = tell(commit)
      for (const { event, run } of told) {
        if (event.kind !== 'granted' || wasRemoved(commit)) continue
        must(promoted(commit, run, event.token) || !wasSlotOf(first, run, commit), `12. ${run} was granted again by a repetition`, commit)
      }
      if ([commit, first].some(one => wasRemoved(one) || one.before.repository?.status === 'removing')) return
      const commands = decided(commit)
      for (const [i, repeated] of commands.entries()) {
        const original = first.commands[i] as Command
        const alone = first.commands.filter(other => !('run' in other) || !('run' in original) || other.run === original.run).length === 1
        if (alone) must(agree(original, repeated), '12. the repetition of a command has another outcome', commit, original, repeated)
      }
    },
  }
}

function wasSlotOf(first: Commit, run: RunRow['run'], second: Commit): boolean {
  const row = second.before.runs.get(run)
  const mine = about(first, run)
  return row !== undefined && hasSlot(row.phase) && mine.length === 1 && mine[0]?.outcome?.kind === 'granted'
}

function agree(first: Command, second: Command): boolean {
  const a = first.outcome
  const b = second.outcome
  if (a === undefined || b === undefined) return false
  if ('holder' in first && 'holder' in second && first.holder !== second.holder) return true
  // What was refused, waits or was found overdue may have changed since, by promotions of the same commit.
  if (a.kind === 'refused' || a.kind === 'too-late' || a.kind === 'held-elsewhere' || a.kind === 'holder-dead') return true
  // A newer life of the repository began in the same commit.
  if (b.kind === 'refused' && b.reason === 'removed') return true
  if (a.kind === 'granted') return (b.kind === 'granted' || (a.again && b.kind === 'already-held')) && a.row.token === b.row.token
  if (a.kind === 'waiting') return b.kind === 'waiting' || b.kind === 'granted'
  // Both say that there is nothing of it.
  if (first.kind === 'withdraw') return true
  if (a.kind === 'released' || a.kind === 'finished') return JSON.stringify({ ...a, freed: true }) === JSON.stringify({ ...b, freed: true })
  // It may have been granted again since.
  if (a.kind === 'requeued') return b.kind === 'requeued' || b.kind === 'lost'
  if (first.kind === 'run-state') return a.kind === b.kind || b.kind === 'unchanged'
  if (first.kind === 'remove-repository') return true
  return a.kind === b.kind
}

/** 5. No run is lost: whatever waits or holds goes on, unless somebody or its time ended it. Setting a limit or a state ends nobody. */
export function nothingIsLost(): Rule {
  return {
    committed(commit) {
      const { told, phases } = tell(commit)
      for (const row of commit.after.runs.values())
        must((phases.get(row.run) ?? 'record') === row.phase, `5. ${row.run} is ${row.phase} without an event that says so`, commit)
      for (const [run, phase] of phases)
        if (!commit.after.runs.has(run)) must(phase === 'record', `5. ${run} vanished`, commit)
      for (const [run] of commit.before.runs)
        if (!commit.after.runs.has(run)) must(commit.before.repository?.status === 'removing', `5. the row of ${run} vanished`, commit)
      for (const one of told) must(hasCause(commit, one), `5. ${one.run}: ${one.event.kind} without a cause`, commit)
      for (const command of decided(commit))
        if (command.kind === 'acquire' && command.outcome?.kind === 'waiting') {
          const phase = phases.get(command.run)
          const ended = told.some(({ run, now }) => run === command.run && now === 'record')
          must((phase !== undefined && phase !== 'record') || ended, `5. ${command.run} was said to wait, and does not`, commit)
        }
    },
  }
}

function hasCause(commit: Commit, { event, run, was }: ReturnType<typeof tell>['told'][number]): boolean {
  const row = commit.before.runs.get(run)
  const due = row?.dueAt !== undefined && row.dueAt <= commit.now
  const gone = row !== undefined && wasGone(commit, row.holder)
  const commands = about(commit, run)
  switch (event.kind) {
    case 'enqueued':
      return was === 'record' && commands.some(({ kind }) => kind === 'acquire')
    case 'granted':
      return (was === 'waiting' || was === 'record') && (was === 'waiting' || commands.some(({ kind }) => kind === 'acquire' || kind === 'adopt'))
    case 'claimed':
      return was === 'reserved' && commands.some(({ kind }) => kind === 'acquire' || kind === 'claim' || kind === 'adopt')
    case 'adopted':
      return was === 'orphaned' && commands.some(({ kind }) => kind === 'adopt')
    case 'unparked':
      return due || commands.some(({ kind }) => kind === 'acquire')
    case 'parked':
      return row?.phase === 'reserved' && due
    case 'orphaned':
      return (row?.phase === 'running' && row.durable && gone) || commands.some(({ kind }) => kind === 'withdraw')
    case 'expired':
      if (row === undefined || row.phase !== was) return false
      return was === 'waiting' ? gone : was === 'running' ? due || (gone && !row.durable) : was === 'orphaned' && due
    case 'released':
      return commands.some(({ kind }) => kind === 'release' || kind === 'finish')
    case 'requeued':
      return commands.some(command => command.kind === 'requeue' ? command.token === event.token : command.kind === 'withdraw')
    case 'withdrawn':
      return commands.some(command => command.kind === 'withdraw' && command.of === event.ticket)
    case 'removed':
      return commit.before.repository?.status === 'removing' || commands.some(command => command.kind === 'remove' || (command.kind === 'acquire' && command.runUid !== undefined))
    default:
      return true
  }
}

/** 6. A state never goes backwards within an attempt; requeueing takes a claim back, withdrawing the whole attempt. */
export function statesGoForward(): Rule {
  return {
    committed(commit) {
      const { told } = tell(commit)
      for (const row of commit.after.runs.values()) {
        const old = rowBefore(commit, row.run)
        if (old === undefined) continue
        const kinds = told.filter(({ run }) => run === row.run).map(({ event }) => event.kind)
        const between = about(commit, row.run).some(command => 'runUid' in command && command.runUid !== row.runUid)
        const over = isEnd(old.state) && old.runUid !== undefined && old.runUid === row.runUid && old.phase === 'record' && !between
        const resumed = (old.ending === 'expired' && old.ticket === row.ticket) || (kinds.includes('expired') && kinds.includes('enqueued'))
        if (over && !resumed) must(row.phase === 'record', `6. the finished attempt of ${row.run} goes on`, commit)
        if (old.sequence !== row.sequence || resumed || kinds.includes('withdrawn') || kinds.includes('removed')) continue
        if (isEnd(old.state)) must(row.state === old.state, `6. ${row.run} was ${old.state} and is ${row.state}`, commit)
        else if (row.phase === 'record' && row.ending === 'expired' && !kinds.includes('run-state')) must(isEnd(row.state) || row.state === undefined, '6. an expired run goes on', commit)
        else if (!kinds.includes('requeued') && !kinds.includes('parked') && !kinds.includes('expired'))
          must(rank(row.state) >= rank(old.state), `6. ${row.run} went from ${old.state} to ${row.state}`, commit)
      }
    },
  }
}

function isEnd(state: RunState | undefined): boolean {
  return state !== undefined && state !== 'queued' && state !== 'started'
}

function rank(state: RunState | undefined): number {
  return state === undefined ? 0 : state === 'queued' ? 1 : state === 'started' ? 2 : 3
}

/** 8, 9. A dead holder gets nothing; workers' rows always have a holder, reservations and orphans never. */
export function holdersAreAlive(): Rule {
  return {
    committed(commit) {
      for (const { kind, run, holder } of commit.changes.events)
        if (kind === 'claimed' || kind === 'adopted' || kind === 'granted') must(!wasGone(commit, holder), `8. ${run} was ${kind} to ${holder}, which is gone`, commit)
      for (const row of commit.after.runs.values()) {
        const old = rowBefore(commit, row.run)
        if (row.holder !== old?.holder) must(!wasGone(commit, row.holder), `8. ${run(row)} was given to ${row.holder}, which is gone`, commit)
        const keeper = row.phase === 'running' || (row.phase === 'waiting' && !row.durable)
        must((row.holder !== undefined) === keeper, `8. ${run(row)} is ${row.phase}, ${row.durable ? 'durable' : "a worker's"}, held by ${row.holder}`, commit)
        if (row.phase === 'reserved' || row.phase === 'orphaned') must(row.durable, `8. ${run(row)} is ${row.phase} and not durable`, commit)
        const due = row.phase === 'reserved' || row.phase === 'orphaned' || row.phase === 'record'
        must(row.dueAt !== undefined || !due, `8. ${run(row)} is ${row.phase} for ever`, commit)
        if (row.phase === 'running') must(row.dueAt === row.holdUntil, `8. ${run(row)} does not end with its longest hold`, commit)
      }
    },
    drained(store, domain) {
      must(store.overdueRows(domain, false).length === 0, `8. overdue rows are left in ${domain}`)
    },
  }
}

function run(row: RunRow): string {
  return row.run
}

/** 9. Whoever loses a slot or an entry to somebody else learns it by its next heartbeat. */
export function losersAreTold(): Rule {
  return {
    committed(commit) {
      const bumped = new Set<HolderId>(commit.changes.bumped)
      for (const old of commit.before.runs.values()) {
        const { holder } = old
        const row = commit.after.runs.get(old.run)
        if (holder === undefined || holder === commit.by || row?.holder === holder || wasGone(commit, holder)) continue
        // Its own withdrawal, and asking on under its Manager's next holder, are no news to it.
        const own = about(commit, old.run).some(command => command.kind === 'withdraw' || command.ticket === (old.grantedTo ?? old.ticket) || 'holder' in command && command.holder === holder)
        must(own || bumped.has(holder), `9. ${holder} lost ${old.run} and is not told`, commit)
      }
    },
  }
}

/** 13. The counts and the slot numbers are those of the rows; a number is free when it is given, and within the limit. */
export function countsAreExact(): Rule {
  return {
    committed(commit) {
      const { repository, runs } = commit.after
      if (repository === undefined) return must(runs.size === 0, '13. there are rows without a repository', commit)
      const count = { live: 0, reserved: 0, orphaned: 0, waiting: 0, parked: 0 }
      const numbers: number[] = []
      for (const row of runs.values()) {
        if (hasSlot(row.phase)) count.live++
        if (row.phase === 'reserved') count.reserved++
        if (row.phase === 'orphaned') count.orphaned++
        if (row.phase === 'waiting') count.waiting++
        if (row.phase === 'waiting' && row.dueAt !== undefined) count.parked++
        if (row.number !== 0) numbers.push(row.number)
        must(row.number === 0 || hasSlot(row.phase), `13. ${row.run} is ${row.phase} with number ${row.number}`, commit)
      }
      for (const name of Object.keys(count) as (keyof typeof count)[])
        must(repository[name] === count[name], `13. ${name} is ${repository[name]}, the rows make ${count[name]}`, commit)
      must(new Set(numbers).size === numbers.length, '13. a slot number is used twice', commit)
      const marked: number[] = []
      for (const [word, bits] of repository.numbers.entries()) for (let i = 0; i < 32; i++) if ((bits & (1 << i)) !== 0) marked.push(32 * word + i + 1)
      must(JSON.stringify(marked) === JSON.stringify(numbers.sort((a, b) => a - b)), `13. numbers ${marked} are marked, ${numbers} are used`, commit)
      if (repository.status === 'removed') must(runs.size === 0, '13. a removed repository has rows', commit)
      const widest = Math.max(...limitsDuring(commit))
      for (const { kind, run: granted, number } of commit.changes.events)
        if (kind === 'granted') must((number ?? 0) <= widest, `13. ${granted} got number ${number} of ${widest}`, commit)
    },
  }
}

/** 14. `paused`: nothing new is granted, claims are allowed; `draining`: enqueues are refused too. A repository being removed grants nothing. */
export function pausesHold(): Rule {
  return {
    committed(commit) {
      const { repository: was } = commit.before
      const { repository: is } = commit.after
      if (was === undefined || decided(commit).some(({ kind }) => kind === 'repository-state')) return
      if (wasRemoved(commit)) return
      const removing = was.status === 'removing' && is?.status === 'removing'
      const closed = was.status === 'present' && was.state !== 'active'
      if (!removing && !closed) return
      for (const { event, run } of tell(commit).told) {
        if (event.kind === 'granted') must(!removing && isAdoptedBeyond(commit, run, event.token), `14. ${run} was granted while ${removing ? 'removing' : was.state}`, commit)
        if (event.kind === 'enqueued') must(!removing && was.state === 'paused', `14. ${run} was enqueued while ${removing ? 'removing' : was.state}`, commit)
      }
      for (const command of decided(commit))
        if (command.kind === 'claim' && closed && commit.commands.length === 1) {
          const row = commit.before.runs.get(command.run)
          if (row?.phase === 'reserved' && row.token === command.token && (row.dueAt ?? 0) > commit.now && !wasGone(commit, command.holder) && command.validUntil === 0)
            must(command.outcome?.kind === 'running', '14. a claim was refused', commit)
        }
    },
  }
}

/** Every decided command has its outcome and no other; the commit is within its budget; progress is made. */
export function budgetHolds(): Rule {
  return {
    committed(commit) {
      const { changes, budget, commands, decision, left } = commit
      const { repositories, droppedRepositories, runs, droppedRuns, buried, bumped, guard } = changes
      const size = repositories.length + droppedRepositories.length + runs.length + droppedRuns.length + buried.length + bumped.length + Number(guard !== undefined)
      must(size <= budget, `Budget: ${size} changes in a commit of at most ${budget}`, commit)
      must(left >= 0 && size <= budget - left, `Budget: ${size} changes, ${left} of ${budget} said to be left`, commit)
      must(commands.length === 0 || decision.decided > 0, 'Progress: no command was decided', commit)
      for (const [i, command] of commands.entries())
        must((command.outcome !== undefined) === i < decision.decided, `Outcomes: command ${i} of ${decision.decided} decided has ${command.outcome?.kind}`, commit)
      must(decision.more || decision.decided === commands.length, 'More: commands are left, and no more is said to be to do', commit)
      must(commit.after.guard.backlog === decision.more, 'More: the guard does not say so', commit)
      const same = size === 0
      must(changes.empty === same, `Empty: ${changes.empty} with ${size} changes`, commit)
    },
  }
}

/** Decided until there is no more to do, nothing is left that could go on. */
export function endsComplete(): Rule {
  return {
    drained(store, domain) {
      const { repository, runs, guard } = store.domain(domain)
      must(!guard.backlog, `7. the backlog of ${domain} is still marked`)
      if (repository === undefined) return
      must(repository.status !== 'removing', `7. ${domain} is still being removed`)
      if (repository.state !== 'active') return
      const limit = limitOfRow(repository)
      const live = [...runs.values()].filter(row => hasSlot(row.phase)).length
      const waits = [...runs.values()].find(row => row.phase === 'waiting' && row.dueAt === undefined)
      must(waits === undefined || (limit > 0 && live >= limit), `7. ${waits?.run} waits while ${live} of ${limit} are taken`)
    },
  }
}
