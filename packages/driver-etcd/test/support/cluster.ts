import { Etcd3 } from 'etcd3'
import { onTestFinished } from 'vitest'
import { etcdPrograms, startEtcd } from '../../../../scripts/etcd-server.mjs'

type Options = NonNullable<Parameters<typeof startEtcd>[1]>
type Cluster = Awaited<ReturnType<typeof startEtcd>>

/** A cluster of one test's own, whose members may be stopped, killed and paused. It ends with the test. */
export async function ownCluster(options: Options = {}): Promise<Cluster> {
  const cluster = await startEtcd(await etcdPrograms(), options)
  onTestFinished(async () => {
    for (const member of cluster.members) member.resume()
    await cluster.stop()
  })
  return cluster
}

/** A program of the user's own on the cluster, until the test is over. */
export function userOf(endpoints: readonly string[], auth?: { username: string; password: string }): Etcd3 {
  const client = new Etcd3({ hosts: [...endpoints], ...(auth === undefined ? {} : { auth }) })
  onTestFinished(() => client.close())
  return client
}

/** The member that leads. */
export async function leaderOf(cluster: Cluster): Promise<Cluster['members'][0]> {
  for (;;)
    for (const member of cluster.members) {
      const { leader, header } = await userOf([member.endpoint]).maintenance.status()
      if (leader !== '0' && leader === header.member_id) return member
    }
}
