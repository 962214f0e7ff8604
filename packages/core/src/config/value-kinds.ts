import * as z from 'zod/mini'
import { durationSchema, parseDuration } from './duration.ts'
import { endpointSchema, endpointsSyntax } from './endpoint.ts'
import { Secret } from './secret.ts'
import type { ValueKind } from './setting-key.ts'
import { shown } from './shown.ts'

/** Of empty text the message is that it is empty, whatever the kind. */
const filled = z.string().check(z.minLength(1))

/** Yes or no, in the spellings that people use, in any case. */
export const booleanKind: ValueKind<boolean> = {
  expects: 'true or false (or 1, 0, yes, no, on, off)',
  schema: z.pipe(
    z.string().check(z.regex(/^(true|1|yes|on|false|0|no|off)$/i)),
    z.transform((text) => /^(true|1|yes|on)$/i.test(text)),
  ),
}

/** One of a few words, spelled exactly so. */
export function choiceKind<const C extends string>(choices: readonly C[]): ValueKind<C> {
  return { expects: `one of ${choices.join(', ')}`, schema: z.enum(choices) }
}

/** Whole numbers in decimal digits between two bounds, both allowed. */
export function integerKind(bounds: { readonly from: number; readonly to: number }): ValueKind<number> {
  return {
    expects: `a whole number from ${bounds.from} to ${bounds.to}`,
    schema: z.pipe(
      z.string().check(z.regex(/^\d{1,15}$/)),
      z.pipe(z.transform(Number), z.number().check(z.gte(bounds.from), z.lte(bounds.to))),
    ),
  }
}

/** Durations between two bounds, both allowed and written as durations, so that messages quote them; read to milliseconds. */
export function durationKind(bounds: { readonly from: string; readonly to: string }): ValueKind<number> {
  return {
    expects: `a duration from ${bounds.from} to ${bounds.to}`,
    schema: z.pipe(
      z.pipe(filled, durationSchema),
      z.number().check(z.gte(parseDuration(bounds.from)), z.lte(parseDuration(bounds.to))),
    ),
  }
}

/** How long a durable slot may live with nobody keeping it: 24 days at most, which is what a Manager takes. */
export const leaseTtlKind = durationKind({ from: '1s', to: '576h' })

/** One line of text, such as a name or a path. Control characters are refused: protocols and files end text at some of them. */
export const textKind: ValueKind<string> = {
  expects: 'one line of text',
  schema: filled.check(
    z.regex(/^\P{Cc}*$/u, 'the value is not one line of text: it contains a control character.'),
  ),
}

/** A password, taken to the letter. No message ever holds it. */
export const secretKind: ValueKind<Secret> = {
  expects: 'a password',
  secret: true,
  schema: z.pipe(
    z.string().check(z.regex(/^[^\0]*$/, 'the password contains a NUL character, which no store takes.')),
    z.transform((password) => new Secret(password)),
  ),
}

const NAME_OR_IPV4 = /^[\p{L}\p{N}._-]+$/u
const IPV6 = /^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*(%\w+)?$/i
const SOCKET_DIRECTORY = /^\/\P{Cc}*$/u

/** Where a PostgreSQL server is: a host name, an IP address without brackets, or the absolute path of its socket directory. */
export const hostKind: ValueKind<string> = {
  expects: 'a host name, an IP address or the absolute path of a socket directory',
  schema: filled.check(
    z.superRefine((text, { addIssue }) => {
      if ([NAME_OR_IPV4, IPV6, SOCKET_DIRECTORY].some((form) => form.test(text))) return
      addIssue(`${shown(text)} is not ${hostKind.expects}. Port, database and user have keys of their own.`)
    }),
  ),
}

/** Servers, separated by commas. Empty text is a list of its own. */
export const endpointsKind: ValueKind<readonly string[]> = {
  expects: endpointsSyntax,
  schema: z.pipe(
    z.string(),
    z.pipe(
      z.transform((list: string) => list.split(',').flatMap((item) => item.trim() || [])),
      z.array(endpointSchema),
    ),
  ),
}
