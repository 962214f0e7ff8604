/**
 * Slots in an etcd cluster, shared over a network.
 * @module @slotkeeper/driver-etcd
 */
export { etcdDriver } from './etcd-driver.ts'
export type { EtcdDriverOptions, EtcdTlsOptions } from './options.ts'
export { raiseTokenFloor } from './raise-token-floor.ts'
export { type WhileHeldOptions, whileHeld } from './while-held.ts'
