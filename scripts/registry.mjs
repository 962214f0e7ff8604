// A registry of the packed packages, on a port of this machine, so that they are installed by name as users install them.
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename } from 'node:path'
import { manifestIn } from './pack.mjs'

/**
 * Serves tarballs until it is closed. npm asks it for the project's own scope alone, when its setting
 * `@slotkeeper:registry` is the `url`; everything else comes from where it always comes from.
 *
 * @param {import('./pack.mjs').Packed[]} packed
 */
export async function serveTarballs(packed) {
  const answers = new Map()
  const server = createServer((request, response) => {
    const answer = answers.get(decodeURIComponent(request.url ?? ''))
    response.setHeader('cache-control', 'no-store') // another run may get this port, with other contents
    if (answer === undefined) return response.writeHead(404).end('{}')
    if (typeof answer === 'object') return response.end(JSON.stringify(answer))
    createReadStream(answer).pipe(response)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  const url = `http://127.0.0.1:${port}`
  for (const { name, tarball } of packed) {
    const manifest = await manifestIn(tarball)
    const integrity = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
    const version = { ...manifest, dist: { tarball: `${url}/${basename(tarball)}`, integrity } }
    answers.set(`/${basename(tarball)}`, tarball)
    answers.set(`/${name}`, {
      name,
      'dist-tags': { latest: manifest.version },
      versions: { [manifest.version]: version },
    })
  }
  return {
    url,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
