import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const folder = fileURLToPath(new URL('./packages', import.meta.url))
const packages = readdirSync(folder).filter((name) => existsSync(`${folder}/${name}/package.json`))

interface Manifest {
  name: string
  exports: Record<string, string | { default: string }>
}

/** Tests run on sources: `@slotkeeper/core/driver` is `packages/core/src/driver-entry.ts`, and so for every exported entry. */
const alias = packages.flatMap((name) => {
  const manifest = JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')) as Manifest
  return Object.entries(manifest.exports).flatMap(([entry, target]) => {
    if (typeof target === 'string') return []
    const source = target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts')
    return [
      { find: new RegExp(`^${manifest.name}${entry.slice(1)}$`), replacement: `${folder}/${name}/${source}` },
    ]
  })
})

function project(name: string, root: string, include: string[]) {
  return {
    resolve: { alias },
    test: {
      name,
      root,
      include,
      // Child processes, one per file: a test may stop, signal or block its own, and what it leaves behind ends with it.
      pool: 'forks' as const,
      restoreMocks: true,
      unstubEnvs: true,
      testTimeout: 20_000,
      hookTimeout: 20_000,
    },
  }
}

export default defineConfig({
  test: {
    projects: [
      ...packages.map((name) =>
        project(name, `${folder}/${name}`, ['src/**/*.test.ts', 'test/**/*.test.ts']),
      ),
      project('demo', fileURLToPath(new URL('./examples/demo', import.meta.url)), ['*.test.ts']),
      project('controller', fileURLToPath(new URL('./examples/controller', import.meta.url)), ['*.test.ts']),
      project('driver-template', fileURLToPath(new URL('./examples/driver-template', import.meta.url)), [
        '*.test.ts',
      ]),
    ],
    maxWorkers: Math.max(2, availableParallelism() - 1),
    retry: 0,
    coverage: { provider: 'v8', include: ['packages/*/src/**'], reporter: ['text-summary', 'html'] },
  },
})
