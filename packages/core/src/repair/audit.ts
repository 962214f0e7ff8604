import { InvalidArgumentError } from '../errors.ts'
import { textProblem } from '../keys.ts'

// A type alias, so that it may stand as the `detail` of an event: an interface is no record of text.
/** Who changes what is not theirs, and why. Both stand in the log and in the events, so never put a secret into them. */
export type Audit = {
  /** A person or a program, as the readers of the trail know it; text of up to 512 bytes. */
  readonly actor: string
  /** Text of up to 512 bytes. */
  readonly reason: string
}

/** @throws InvalidArgumentError naming the part that is missing or cannot be stored */
export function checkAudit(audit: Audit): Audit {
  for (const part of ['actor', 'reason'] as const) {
    const text: unknown = audit?.[part]
    if (typeof text !== 'string' || text.trim() === '')
      throw new InvalidArgumentError(
        `${part} is ${typeof text === 'string' ? 'empty' : typeof text}: whoever changes what is not theirs says who they are and why.`,
      )
    const problem = textProblem(text)
    if (problem !== undefined) throw new InvalidArgumentError(`${part} cannot be stored: ${problem}.`)
  }
  return { actor: audit.actor, reason: audit.reason }
}
