import type { History } from './history.ts'
import { type ComeBack, judgeKill } from './judge-kill.ts'
import { judgeLimit } from './judge-limit.ts'
import { judgeLost } from './judge-lost.ts'
import { judgeOrder } from './judge-order.ts'
import { judgeTokens } from './judge-tokens.ts'
import type { Plan } from './plan.ts'

/** One thing that must hold; without violations it does. */
export interface Check {
  readonly name: 'log' | 'limit' | 'tokens' | 'order' | 'nothing lost' | 'killed worker'
  /** What was looked at, as a sentence for people. */
  readonly says: string
  /** A sentence each. */
  readonly violations: readonly string[]
}

/** A repository in figures. */
interface RepositoryFigures {
  readonly repository: string
  /** 0 = unlimited. */
  readonly limit: number
  /** The most children at work at once. */
  readonly peak: number
  readonly runs: number
  readonly done: number
  /** Children that were started. */
  readonly children: number
  /** Children that were stopped because their worker was killed or had lost the slot. */
  readonly stopped: number
  /** Pairs of runs whose order the log proves; the judge has compared every one with the tokens. */
  readonly orderedPairs: number
  readonly pairs: number
}

/** What the judge found. */
export interface Verdict {
  readonly checks: readonly Check[]
  readonly repositories: readonly RepositoryFigures[]
  readonly kill: ComeBack
}

/**
 * Judges what happened by the log of the children. The SDK's books are not asked: of the SDK it knows only the fencing token and the
 * slot number that each child was given, and when a worker was told that a run waits. What came first is told by the order of lines,
 * which are written one after another, and not by a clock.
 */
export function judge(plan: Plan, history: History, { ttlMs }: { readonly ttlMs: number }): Verdict {
  const limits = plan.repositories.map((repository) => judgeLimit(repository, history))
  const orders = plan.repositories.map((repository) => judgeOrder(repository, history))
  const tokens = plan.repositories.map((repository) => judgeTokens(repository, history))
  const kill = judgeKill(history, ttlMs)
  const started = history.started()
  const pairs = orders.reduce((sum, { proven }) => sum + proven, 0)
  return {
    kill,
    repositories: plan.repositories.map(({ key, limit }, index) => {
      const own = started.filter(({ repository }) => repository === key)
      const runs = plan.runs.filter(({ repository }) => repository === key)
      const done = new Set(own.filter(({ end }) => end?.outcome === 'done').map(({ run }) => run))
      return {
        repository: key,
        limit,
        peak: limits[index]?.peak ?? 0,
        runs: runs.length,
        done: done.size,
        children: own.length,
        stopped: own.filter(({ end }) => end?.outcome === 'stopped').length,
        orderedPairs: orders[index]?.proven ?? 0,
        pairs: (own.length * (own.length - 1)) / 2,
      }
    }),
    checks: [
      {
        name: 'log',
        says: `${history.lines} lines, each whole and in its place`,
        violations: history.oddities,
      },
      {
        name: 'limit',
        says: 'never more children at work in a repository than its limit',
        violations: limits.flatMap(({ violations }) => violations),
      },
      {
        name: 'tokens',
        says: 'every fencing token given once, growing in each slot number, and no slot number given twice at a time',
        violations: tokens.flat(),
      },
      {
        name: 'order',
        says: `higher priority first, then first come, first served: ${pairs} pairs of runs whose order the log proves`,
        violations: orders.flatMap(({ violations }) => violations),
      },
      {
        name: 'nothing lost',
        says: 'every run of the manifests was done once, and every child that began has ended',
        violations: judgeLost(plan, history),
      },
      { name: 'killed worker', says: kill.says, violations: kill.violations },
    ],
  }
}
