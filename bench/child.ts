// One measurement in a process of its own; started by harness/in-child.ts, which gets the sample as a message.
import type { Sample } from './harness/case.ts'
import type { Task } from './harness/in-child.ts'
import { loadSuite } from './suites/index.ts'

const task = JSON.parse(process.argv[2] as string) as Task
const one = (await loadSuite(task.suite)).find(({ name }) => name === task.case)
const sample = await measure()
process.send?.(sample, undefined, undefined, () => process.disconnect())

async function measure(): Promise<Sample> {
  if (task.subject === undefined) {
    await one?.prepare?.(task.context)
    return {}
  }
  const subject = one?.subjects[task.subject]
  if (subject === undefined) throw new Error(`${task.suite} ${task.case} has no subject ${task.subject}.`)
  return await subject(task.context)
}
