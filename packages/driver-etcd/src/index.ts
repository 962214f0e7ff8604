/**
 * Slots in an etcd cluster, shared over a network.
 * @module @slotkeeper/driver-etcd
 */
export { type AssertHeldOptions, assertHeld } from './assert-held.ts'
export { etcdDriver } from './etcd-driver.ts'
export type { EtcdDriverOptions, EtcdTlsOptions } from './options.ts'
export { raiseTokenFloor } from './raise-token-floor.ts'
