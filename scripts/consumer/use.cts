// The same from a CommonJS module.
import core = require('@slotkeeper/core')
import memory = require('@slotkeeper/driver-memory')

export const manager: core.Manager = new core.Manager({ driver: memory.memoryDriver() })
