const CODES: ReadonlySet<unknown> = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])

/**
 * Whether an import failed because that very package is not there. False when it is there and something that it needs is not, or
 * a file of it: Node.js uses the same code for all three, and only the message tells which name was looked for.
 */
export function isPackageNotFound(error: unknown, specifier: string): boolean {
  if (!(error instanceof Error) || !CODES.has((error as { code?: unknown }).code)) return false
  return ['package', 'module'].some((what) => error.message.startsWith(`Cannot find ${what} '${specifier}'`))
}
