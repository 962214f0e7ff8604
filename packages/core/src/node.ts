/** What needs a Node.js process: its environment and its installed packages. */
export { type CreateManagerOptions, createManager } from './config/create-manager.ts'
export { parseEnvironment } from './config/parse-environment.ts'
