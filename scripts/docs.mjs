// npm run docs: the reference of all packages with the guides, as a site in site/ that any file server can serve.
import { createReadStream, existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { join, normalize } from 'node:path'
import { inflateSync } from 'node:zlib'
import { Failure, mustRun, root } from './run.mjs'

const typedoc = join(root, 'node_modules', 'typedoc', 'bin', 'typedoc')
const site = join(root, 'site')

/** Builds the site; a warning is an error. Then looks whether its search finds what people look for. */
export async function buildDocs(env) {
  await mustRun('TypeDoc', 'node', [typedoc], { env })
  const server = createServer((request, response) => {
    const file = join(site, normalize(decodeURIComponent(new URL(request.url ?? '', 'http://site').pathname)))
    if (!existsSync(file)) return response.writeHead(404).end()
    createReadStream(file).pipe(response)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  try {
    await searchFinds(`http://127.0.0.1:${port}`, ['Manager.withSlot', 'sqliteDriver', 'conformance'])
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** What the search box does: takes the index that the page names, unpacks it, and follows what it finds. */
async function searchFinds(url, names) {
  const page = await text(`${url}/index.html`)
  const script = /<script[^>]* src="(assets\/search\.js)"/.exec(page)?.[1]
  if (!page.includes('tsd-search') || !script) throw new Failure('The first page has no search.')
  const packed = /"([^"]*)"/.exec(await text(`${url}/${script}`))?.[1] ?? ''
  const { rows } = JSON.parse(inflateSync(Buffer.from(packed, 'base64')).toString())
  for (const wanted of names) {
    const [name, parent] = wanted.split('.').reverse()
    const row = rows.find((found) => found.name === name && (!parent || found.parent?.endsWith(parent)))
    if (!row) throw new Failure(`The search does not know ${wanted}.`)
    const target = await text(`${url}/${row.url.split('#')[0]}`)
    if (!target.includes(name))
      throw new Failure(`The search leads to ${row.url}, which does not tell of ${wanted}.`)
  }
}

async function text(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Failure(`${url} answers ${response.status}.`)
  return response.text()
}
