// Makes a driver of the file named by the argument; with `watch` also opens it and watches. Ends by itself.
import { sqliteDriver } from '../../src/index.ts'

const driver = sqliteDriver({ path: process.argv[2] as string })
if (process.argv[3] === 'watch') {
  await driver.open({ schema: 'migrate' })
  const hints = driver
    .watch({ wants: () => true, signal: new AbortController().signal })
    [Symbol.asyncIterator]()
  await hints.next()
}
console.log('made')
