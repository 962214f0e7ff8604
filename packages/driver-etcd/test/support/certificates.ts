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

/** An authority that the tests make up, trusted by nobody, and what it certifies: servers of a name, clients without one. */
export async function newAuthority(): Promise<{
  readonly cert: string
  certify(serverName?: string): Promise<Certified>
}> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const validity = {
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    signingAlgorithm: ALGORITHM,
  }
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: 'CN=An authority of the tests',
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  })
  return {
    cert: root.toString('pem'),
    async certify(serverName) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
      const names = serverName === undefined ? [] : [{ type: 'dns' as const, value: serverName }]
      const made = await x509.X509CertificateGenerator.create({
        ...validity,
        subject: 'CN=slots',
        issuer: root.subject,
        signingKey: keys.privateKey,
        publicKey: own.publicKey,
        extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
      })
      const exported = await webcrypto.subtle.exportKey('pkcs8', own.privateKey)
      return { cert: made.toString('pem'), key: x509.PemConverter.encode(exported, 'PRIVATE KEY') }
    },
  }
}
