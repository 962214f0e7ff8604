import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Sidecar } from './sidecar.ts'

/** The sidecar's answers to probes. */
export interface HealthServer extends AsyncDisposable {
  readonly port: number
}

/**
 * Serves `/liveness` (200 while the process runs), `/readiness` (200 when the database answers and every known file is applied, else
 * 503), and `/health` and `/healthz` (always 200), the last three with everything that is known as JSON.
 * @throws the system's error when the port cannot be had
 */
export async function serveHealth(sidecar: Sidecar, port: number): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://sidecar')
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(response, 405, { error: 'GET or HEAD only' })
    if (pathname === '/liveness') return answer(response, 200, { status: 'alive' })
    const isReadiness = pathname === '/readiness'
    if (!isReadiness && pathname !== '/health' && pathname !== '/healthz')
      return answer(response, 404, { error: 'There are /liveness, /readiness, /health and /healthz.' })
    void sidecar.answers().then((answers) => {
      const { phase, ...state } = sidecar.state
      const isReady = answers && phase === 'ready'
      const body = {
        status: isReady ? 'ready' : 'not ready',
        postgres_healthy: answers,
        migrations_applied: phase === 'ready',
        phase,
        source: sidecar.source,
        ...state,
      }
      answer(response, isReadiness && !isReady ? 503 : 200, body)
    })
  })
  server.listen(port)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function answer(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(body)}\n`)
}
