/** What must hold of slots as a number: limits, counts, tokens, pauses. */
import {
  decided,
  hasSlot,
  isAdoptedBeyond,
  limitOfRow,
  must,
  rowBefore,
  tell,
  wasGone,
  wasRemoved,
} from './telling.ts'
import type { Commit, Rule } from './world.ts'

/** 1. Never more live slots than the limit; only adopting a run that provably runs may exceed it. */
export function limitHolds(): Rule {
  return {
    committed(commit) {
      const limits = limitsDuring(commit)
      for (const { event, run, live } of tell(commit).told) {
        if (event.kind !== 'granted' || isAdoptedBeyond(commit, run, event.token)) continue
        const wide = limits.some((limit) => limit === 0 || live < limit)
        must(wide, `1. a slot was granted to ${run} as number ${live + 1} of a limit of ${limits}`, commit)
      }
      if (commit.decision.granted.length === 0) return
      const limit = limitOfRow(commit.after.repository)
      const live = [...commit.after.runs.values()].filter((row) => hasSlot(row.phase)).length
      must(
        limit === 0 || live <= limit,
        `1. after promotions there are ${live} slots of a limit of ${limit}`,
        commit,
      )
    },
  }
}

function limitsDuring(commit: Commit): readonly number[] {
  const { before: was, after, changes } = commit
  const limits = [limitOfRow(after.repository)]
  if (was.repository?.status === 'present') limits.push(limitOfRow(was.repository))
  else
    for (const command of decided(commit)) if ('proposal' in command) limits.push(command.proposal.limit ?? 0)
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
        must(
          Number.isSafeInteger(token) && (token as number) > (last.get(domain) ?? 0),
          `2. token ${token} of ${run} is not above ${last.get(domain)}`,
          commit,
        )
        must(
          (token as number) > facts.tokenFloor,
          `2. token ${token} of ${run} is not above the floor ${facts.tokenFloor}`,
          commit,
        )
        last.set(domain, token as number)
        given.set(run as string, token as number)
      }
      for (const row of after.runs.values()) {
        const old = rowBefore(commit, row.run)
        const token = given.get(row.run) ?? old?.token ?? 0
        must(row.token === token, `2. the token of ${row.run} became ${row.token} without a grant`, commit)
        if (after.repository !== undefined)
          must(after.repository.lastToken >= row.token, '2. the last token is behind', commit)
      }
      must(
        (after.repository?.lastToken ?? 0) >= (commit.before.repository?.lastToken ?? 0) ||
          wasRemoved(commit),
        '2. the last token fell',
        commit,
      )
    },
  }
}

/** 13. The counts and the slot numbers are those of the rows; a number is free when it is given, and within the limit. */
export function countsAreExact(): Rule {
  return {
    committed(commit) {
      const { repository, runs } = commit.after
      if (repository === undefined)
        return must(runs.size === 0, '13. there are rows without a repository', commit)
      const count = { live: 0, reserved: 0, orphaned: 0, waiting: 0, parked: 0 }
      const numbers: number[] = []
      for (const row of runs.values()) {
        if (hasSlot(row.phase)) count.live++
        if (row.phase === 'reserved') count.reserved++
        if (row.phase === 'orphaned') count.orphaned++
        if (row.phase === 'waiting') count.waiting++
        if (row.phase === 'waiting' && row.dueAt !== undefined) count.parked++
        if (row.number !== 0) numbers.push(row.number)
        must(
          row.number === 0 || hasSlot(row.phase),
          `13. ${row.run} is ${row.phase} with number ${row.number}`,
          commit,
        )
      }
      for (const name of Object.keys(count) as (keyof typeof count)[])
        must(
          repository[name] === count[name],
          `13. ${name} is ${repository[name]}, the rows make ${count[name]}`,
          commit,
        )
      must(new Set(numbers).size === numbers.length, '13. a slot number is used twice', commit)
      const marked: number[] = []
      for (const [word, bits] of repository.numbers.entries())
        for (let i = 0; i < 32; i++) if ((bits & (1 << i)) !== 0) marked.push(32 * word + i + 1)
      must(
        JSON.stringify(marked) === JSON.stringify(numbers.sort((a, b) => a - b)),
        `13. numbers ${marked} are marked, ${numbers} are used`,
        commit,
      )
      if (repository.status === 'removed') must(runs.size === 0, '13. a removed repository has rows', commit)
      const widest = Math.max(...limitsDuring(commit))
      for (const { kind, run: granted, number } of commit.changes.events)
        if (kind === 'granted')
          must((number ?? 0) <= widest, `13. ${granted} got number ${number} of ${widest}`, commit)
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
        if (event.kind === 'granted')
          must(
            !removing && isAdoptedBeyond(commit, run, event.token),
            `14. ${run} was granted while ${removing ? 'removing' : was.state}`,
            commit,
          )
        if (event.kind === 'enqueued')
          must(
            !removing && was.state === 'paused',
            `14. ${run} was enqueued while ${removing ? 'removing' : was.state}`,
            commit,
          )
      }
      for (const command of decided(commit))
        if (command.kind === 'claim' && closed && commit.commands.length === 1) {
          const row = commit.before.runs.get(command.run)
          if (
            row?.phase === 'reserved' &&
            row.token === command.token &&
            (row.dueAt ?? 0) > commit.now &&
            !wasGone(commit, command.holder) &&
            command.validUntil === 0
          )
            must(command.outcome?.kind === 'running', '14. a claim was refused', commit)
        }
    },
  }
}
