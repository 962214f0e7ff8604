import type { Plain } from './allowances.ts'
import type { Difference } from './difference.ts'

/** Lines of DESIGN's `What must always hold`, as far as a difference can be one of theirs. */
const RULES: Readonly<Record<string, string>> = {
  '1': '1. never more live slots than the limit, and no refusal while there is room',
  '2': '2. a fencing token is granted once and grows with every grant',
  '3': '3. the highest priority goes first, then the lowest sequence; a try passes nobody',
  '4': '4. acquire and release are idempotent by ticket and lease',
  '5': '5. no run is lost, and none is made up',
  '6': '6. a state never goes backwards within an attempt',
  '7': '7. what is left to do is told, and so is who wants to hear of it',
  '8': '8. the dead lose what they had, and nobody else does',
  '9': '9. whoever loses a slot to somebody else is told by its next heartbeat',
  '12': '12. a command that is asked again has its first outcome',
  '13': '13. counts are those of the rows',
  '14': '14. paused grants nothing new, draining refuses enqueues too',
  limits: 'limits: the word of the right source, uid and generation counts',
  removal: 'removal: what is removed is gone, and comes back by a new word only',
  reads: 'reads: rows are kept and read exactly as they were decided',
  contract: 'contract: facts, outcomes and answers are what the contract says',
}

/** The rule that most likely explains it; the first one that fits the first difference. */
export function ruleOf(found: readonly Difference[], repeated: boolean): string {
  return RULES[keyOf(found, repeated)] as string
}

/** A rule by its number or word. */
export function ruleNamed(key: keyof typeof RULES): string {
  return RULES[key] as string
}

function keyOf(found: readonly Difference[], repeated: boolean): string {
  const outcome = found.find(({ path }) => path.endsWith('outcome.kind'))
  const reason = found.find(({ path }) => path.endsWith('outcome.reason'))
  if (outcome !== undefined) return repeated ? '12' : ofKinds(outcome, found)
  if (reason !== undefined) return ofReason(reason.model) ?? ofReason(reason.driver) ?? '4'
  const [first] = found
  if (first === undefined) return 'reads'
  if (first.path.startsWith('runs.') && !isRecord(first.driver ?? first.model)) {
    if (first.driver === undefined || first.model === undefined) return '5'
  }
  // Places in lists say nothing.
  const field = first.path.split('.').findLast((part) => !/^\d+$/.test(part)) ?? ''
  return FIELDS[field] ?? 'reads'
}

function isRecord(row: Plain | undefined): boolean {
  return typeof row === 'object' && row !== null && 'phase' in row && row.phase === 'record'
}

function ofKinds({ driver, model }: Difference, found: readonly Difference[]): string {
  const refusal = found.find(({ path }) => path.endsWith('outcome.reason'))
  const byReason = ofReason(refusal?.model) ?? ofReason(refusal?.driver)
  const kinds = [driver, model]
  if (kinds.includes('refused') && byReason !== undefined) return byReason
  if (kinds.includes('holder-dead')) return '8'
  if (kinds.includes('backwards')) return '6'
  if (kinds.includes('older')) return 'limits'
  if (kinds.includes('granted') && kinds.includes('waiting')) return '1'
  return '4'
}

function ofReason(reason: Plain | undefined): string | undefined {
  switch (reason) {
    case 'limit':
      return '1'
    case 'queue':
      return '3'
    case 'paused':
    case 'draining':
      return '14'
    case 'removed':
      return 'removal'
    case 'finished':
      return '6'
    default:
      return undefined
  }
}

const FIELDS: Readonly<Record<string, string>> = {
  token: '2',
  lastToken: '2',
  number: '1',
  numbers: '13',
  live: '13',
  running: '13',
  runs: '13',
  reserved: '13',
  orphaned: '13',
  waiting: '13',
  parked: '13',
  lastSequence: '3',
  sequence: '3',
  priority: '3',
  place: '3',
  phase: '5',
  run: '5',
  state: '6',
  holder: '4',
  ticket: '12',
  grantedTo: '12',
  endedBy: '12',
  successor: '12',
  promoted: '12',
  freed: '4',
  limit: 'limits',
  uid: 'limits',
  generation: 'limits',
  local: 'limits',
  global: 'limits',
  removedUids: 'limits',
  status: 'removal',
  watchedUntil: '7',
  backlog: '7',
  more: '7',
}
