import 'reflect-metadata' // what @peculiar/x509 finds its parts by
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 86_400_000

/** A certificate and its private key, in PEM. */
export interface Certified {
  readonly cert: string
  readonly key: string
}

/** An authority that the tests make up. */
export interface Authority {
  readonly cert: string
  /** For a server of these names and addresses. */
  server(names: readonly string[], options?: { readonly expired?: boolean }): Promise<Certified>
  /** For a client: a user of PostgreSQL. */
  client(user: string): Promise<Certified>
}

/** A new authority, trusted by nobody. */
export async function newAuthority(name: string): Promise<Authority> {
  const keys = await newKeys()
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - 10 * DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  })
  const certify = async (subject: string, extensions: x509.Extension[], expired = false) => {
    const own = await newKeys()
    const made = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [subject] }],
      issuer: root.subject,
      signingKey: keys.privateKey,
      publicKey: own.publicKey,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(Date.now() - 9 * DAY_MS),
      notAfter: new Date(Date.now() + (expired ? -DAY_MS : DAY_MS)),
      extensions,
    })
    return { cert: made.toString('pem'), key: await privatePem(own.privateKey) }
  }
  return {
    cert: root.toString('pem'),
    server: (names, { expired } = {}) =>
      certify(
        'server',
        [
          new x509.SubjectAlternativeNameExtension(
            names.map((value) => ({
              type: /^[\d.]+$/.test(value) ? ('ip' as const) : ('dns' as const),
              value,
            })),
          ),
        ],
        expired,
      ),
    client: (user) => certify(user, []),
  }
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}
