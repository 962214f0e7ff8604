#!/usr/bin/env node
// Every Node.js that knows modules must be able to read this file: no static import, no syntax newer than ES2019.

const OLDEST = [22, 14]
const USAGE = 125

/** Whether a version like `22.13.1` is older than the oldest that works. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const [oldestMajor = 0, oldestMinor = 0] = OLDEST

if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
  console.error(
    `slotkeeper: this is Node.js ${process.versions.node}, and slotkeeper needs Node.js ${OLDEST.join('.')} or newer: install one from nodejs.org or by your package manager.`,
  )
  process.exitCode = USAGE
} else {
  import('./cli.ts')
    .then((cli) => cli.runCli(process.argv.slice(2)))
    .then(
      (code) => process.exit(code),
      (error) => {
        console.error(`slotkeeper: ${error.message}`)
        process.exit(USAGE)
      },
    )
}
