// What importing an entry brings along at most, minified and compressed, without what is installed beside it. `npm run check -- sizes`.
const entries = {
  'core/dist/index.js': '48 kB',
  'core/dist/driver-entry.js': '13 kB',
  'core/dist/node.js': '48 kB',
  'driver-memory/dist/index.js': '5 kB',
  'driver-postgres/dist/index.js': '20 kB',
  'driver-sqlite/dist/index.js': '16 kB',
  'testing/dist/index.js': '6 kB',
  'testing/dist/conformance.js': '52 kB',
  'testing/dist/simulation.js': '24 kB',
  'migrations/dist/index.js': '15 kB',
  'migrations/dist/connection.js': '8 kB',
  'migrations/dist/main.js': '21 kB',
  'cli/dist/main.js': '20 kB',
}

export default Object.entries(entries).map(([entry, limit]) => ({
  name: entry,
  path: `packages/${entry}`,
  limit,
  gzip: true,
  ignore: [
    '@slotkeeper/core',
    '@slotkeeper/driver-memory',
    '@slotkeeper/driver-postgres',
    '@slotkeeper/driver-sqlite',
    '@slotkeeper/migrations',
    'better-sqlite3',
    'fast-check',
    'pg',
    'string-width',
  ],
  modifyEsbuildConfig: (config) => ({ ...config, platform: 'node', format: 'esm', logLevel: 'error' }),
}))
