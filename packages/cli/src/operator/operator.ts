import { userInfo } from 'node:os'
import type { Audit } from '@slotkeeper/core'
import { ExitError } from '../exit-error.ts'
import { quoted } from '../quoted.ts'

/** Who changes something, why, and whether it was agreed to on the command line. */
export interface Operator {
  readonly actor: string
  /** `undefined` when none was given. */
  readonly reason: string | undefined
  /** `--yes`: nobody is asked. */
  readonly yes: boolean
}

const MOST_BYTES = 512

/**
 * Reads `--actor`, `--reason` and `--yes`. Without `--actor` it is the user whom the operating system names.
 * @throws ExitError for text that cannot be kept
 */
export function readOperator(values: {
  readonly actor?: string
  readonly reason?: string
  readonly yes?: boolean
}): Operator {
  return {
    actor: values.actor === undefined ? systemUser() : readText('--actor', values.actor),
    reason: values.reason === undefined ? undefined : readText('--reason', values.reason),
    yes: values.yes ?? false,
  }
}

/** What stands in the audit trail; a change that takes nothing from anybody needs no reason. */
export function auditOf({ actor, reason }: Operator): Audit {
  return { actor, reason: reason ?? 'none given' }
}

/** @throws ExitError when no reason was given for what takes something from somebody */
export function needReason({ reason }: Operator): void {
  if (reason === undefined)
    throw new ExitError(
      "--reason is missing. Say why for the audit trail, as in: --reason 'the node is gone'",
    )
}

/** A container may run under a number that has no name. */
function systemUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

function readText(option: string, text: string): string {
  if (text.trim() === '') throw new ExitError(`${option} is empty.`)
  if (!text.isWellFormed())
    throw new ExitError(`${option} is ${quoted(text.toWellFormed())}, which is no text.`)
  if (Buffer.byteLength(text) > MOST_BYTES)
    throw new ExitError(`${option} has ${Buffer.byteLength(text)} bytes, and it may have ${MOST_BYTES}.`)
  return text
}
