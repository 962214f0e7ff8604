/** What needs a Node.js process: its environment and its installed packages. */
export { type CreateManagerOptions, createManager } from './config/create-manager.ts'
export { parseEnvironment } from './config/parse-environment.ts'
export { readFiles } from './directory/read-files.ts'
export {
  type DirectoryState,
  type WatchDirectoryOptions,
  watchDirectory,
} from './directory/watch-directory.ts'
