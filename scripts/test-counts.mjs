// A Vitest reporter: leaves the numbers of passed and failed tests in the file that SLOTKEEPER_TEST_COUNTS names.
import { writeFileSync } from 'node:fs'

export default class TestCounts {
  onTestRunEnd(modules, unhandledErrors) {
    let passed = 0
    let failed = unhandledErrors.length
    for (const module of modules) {
      const failedBefore = failed
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        if (state === 'failed') failed += 1
      }
      if (module.state() === 'failed' && failed === failedBefore) failed += 1 // it could not be loaded, or a hook failed
    }
    writeFileSync(process.env.SLOTKEEPER_TEST_COUNTS, JSON.stringify({ passed, failed }))
  }
}
