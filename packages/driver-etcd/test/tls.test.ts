import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { EtcdTlsOptions } from '../src/index.ts'
import { newAuthority } from './support/certificates.ts'
import { ownCluster } from './support/cluster.ts'
import { newPrefix } from './support/servers.ts'
import { driverOf, managerOf, repo } from './support/store.ts'

const NAME = 'slots.test'

/** Writes texts into files, and answers where. */
function files<K extends string>(texts: Record<K, string>): Record<K, string> {
  const directory = mkdtempSync(join(tmpdir(), 'slotkeeper-tls-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const paths = Object.entries<string>(texts).map(([name, text]) => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return [name, path]
  })
  return Object.fromEntries(paths)
}

test('the authority, the name and the client’s certificate are really looked at', async () => {
  const [authority, other] = [await newAuthority(), await newAuthority()]
  const server = await authority.certify(NAME)
  const [client, stranger] = [await authority.certify(), await other.certify()]
  const { endpoints } = await ownCluster({
    scheme: 'https',
    files: { 'ca.pem': authority.cert, 'server.pem': server.cert, 'server.key': server.key },
    flags: {
      'cert-file': 'DIR/server.pem',
      'key-file': 'DIR/server.key',
      'trusted-ca-file': 'DIR/ca.pem',
      'client-cert-auth': 'true',
    },
  })
  const at = files({
    ca: authority.cert,
    otherCa: other.cert,
    cert: client.cert,
    key: client.key,
    strangerCert: stranger.cert,
    strangerKey: stranger.key,
  })
  const right = { caFile: at.ca, certFile: at.cert, keyFile: at.key, serverName: NAME }

  const manager = managerOf({ endpoints, tls: right })
  expect((await manager.acquireSlot({ repository: repo(1), run: 'acme/1' })).kind).toBe('granted')

  const wrong: readonly EtcdTlsOptions[] = [
    { ...right, caFile: at.otherCa },
    { ...right, serverName: 'elsewhere.test' },
    { caFile: at.ca, serverName: NAME },
    { ...right, certFile: at.strangerCert, keyFile: at.strangerKey },
  ]
  for (const tls of wrong) {
    const driver = driverOf({ endpoints, tls, prefix: newPrefix(), dialTimeoutMs: 2000 })
    await expect(driver.open({ schema: 'migrate' }), JSON.stringify(tls)).rejects.toMatchObject({
      code: 'SLOTKEEPER_STORE_TLS',
    })
  }
  const plain = driverOf({
    endpoints: endpoints.map((endpoint) => endpoint.replace('https:', 'http:')),
    prefix: newPrefix(),
    dialTimeoutMs: 2000,
  })
  await expect(plain.open({ schema: 'migrate' })).rejects.toMatchObject({
    code: 'SLOTKEEPER_STORE_UNAVAILABLE',
    message: expect.stringContaining('https://'),
  })
})
