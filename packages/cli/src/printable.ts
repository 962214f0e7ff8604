/**
 * What a terminal obeys, or what changes the order in which text is shown: control characters (every escape sequence begins with one),
 * separators of lines and paragraphs, and marks of direction.
 */
export const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/**
 * Text as a terminal may show it: keys hold anything, and a terminal must not obey them. Each character that it would obey becomes one
 * U+FFFD, so that a name never looks like another one.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, '\u{FFFD}')
}
