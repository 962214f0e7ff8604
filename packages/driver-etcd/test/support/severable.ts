import { ownCluster, userOf } from './cluster.ts'
import { type Way, wayTo } from './way.ts'

type Cluster = Awaited<ReturnType<typeof ownCluster>>
type Member = Cluster['members'][0]

/** A cluster of three whose members may be cut off from each other, while everybody's clients reach them. */
export interface SeverableCluster extends Cluster {
  /** Cuts one member off from the two others, in both directions. */
  cutOff(member: Member): Promise<void>
  mend(): void
}

/** Members say by which one of them a connection was opened, in what they ask over it. */
function senderIn(bytes: Buffer): string | undefined {
  return /^x-server-from: ([0-9a-f]+)\r$/im.exec(bytes.toString('latin1'))?.[1]
}

/** Starts one; it ends with the test. */
export async function severableCluster(): Promise<SeverableCluster> {
  let ways: readonly Way[] = []
  const cluster = await ownCluster({
    members: 3,
    peers: async (urls) => {
      ways = await Promise.all(urls.map((url) => wayTo(url, senderIn)))
      return ways.map(({ endpoint }) => endpoint)
    },
  })
  return {
    ...cluster,
    async cutOff(member) {
      const { header } = await userOf([member.endpoint]).maintenance.status()
      const name = BigInt(header.member_id).toString(16)
      for (const [at, way] of ways.entries()) way.cut(cluster.members[at] === member ? undefined : name)
    },
    mend() {
      for (const way of ways) way.mend()
    },
  }
}
