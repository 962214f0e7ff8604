/** An element of an SVG document, as text. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  ...content: readonly string[]
): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(rounded(value))}"`)
  const begin = `<${name}${written.join('')}`
  return content.length === 0 ? `${begin}/>` : `${begin}>${content.join('')}</${name}>`
}

/** Text for the inside of an element or an attribute. What XML does not allow becomes a replacement character. */
export function escapeXml(text: string): string {
  return text.replace(FORBIDDEN, '\uFFFD').replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign)
}

/** Everything but the characters of https://www.w3.org/TR/xml/#charsets */
const FORBIDDEN = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function rounded(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : value
}
