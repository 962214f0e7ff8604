// The driver of the reader's own that the README of @slotkeeper/testing puts to the test.
import type { Driver } from '@slotkeeper/core/driver'

export declare function redisDriver(options: { readonly prefix: string }): Driver
