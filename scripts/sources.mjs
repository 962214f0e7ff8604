// node --import ./scripts/sources.mjs: a plain Node.js process runs the packages' sources, as vitest's aliases do for tests.
import { registerHooks } from 'node:module'

const packages = new URL('../packages/', import.meta.url)
const entries = {
  '@slotkeeper/core/driver': 'core/src/driver-entry.ts',
  '@slotkeeper/core/node': 'core/src/node.ts',
  '@slotkeeper/core': 'core/src/index.ts',
  '@slotkeeper/migrations/connection': 'migrations/src/connection.ts',
  '@slotkeeper/migrations': 'migrations/src/index.ts',
}

registerHooks({
  resolve(specifier, context, next) {
    const entry = entries[specifier]
    return entry === undefined
      ? next(specifier, context)
      : { url: new URL(entry, packages).href, shortCircuit: true }
  },
})
