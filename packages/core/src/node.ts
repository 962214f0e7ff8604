/**
 * What needs a Node.js process: its environment and its installed packages.
 * @module @slotkeeper/core/node
 */
export { type CreateManagerOptions, createManager } from './config/create-manager.ts'
export type { Environment } from './config/driver-options.ts'
export type { Load } from './config/load-driver.ts'
export { parseEnvironment } from './config/parse-environment.ts'
export { readFiles } from './directory/read-files.ts'
export {
  type DirectoryState,
  type WatchDirectoryOptions,
  watchDirectory,
} from './directory/watch-directory.ts'
