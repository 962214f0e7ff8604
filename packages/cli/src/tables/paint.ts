import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Gives text a colour, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string

/** A Paint that colours where colours are wanted. */
export function painter(hasColours: boolean): Paint {
  return (style, text) => (hasColours ? styleText(style, text, { validateStream: false }) : text)
}
