import { existsSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'

/** How every package is built: ESM and declarations for Node 20, with source maps, not minified. */
export function library(entry: string[], more: Options = {}) {
  const missing = entry.find((file) => !existsSync(file)) // tsup would build the others and say nothing
  if (missing) throw new Error(`The entry ${missing} is missing.`)
  return defineConfig({
    entry,
    format: 'esm',
    target: 'node20',
    platform: 'node',
    dts: { compilerOptions: { paths: {}, noEmit: false, stripInternal: true } }, // siblings by their built declarations, as a user gets them
    sourcemap: true,
    clean: true,
    minify: false,
    splitting: true,
    ...more,
  })
}
