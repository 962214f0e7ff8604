import type { Output } from './output.ts'
import { age } from './times.ts'

const FIRST_MS = 2000
const TICK_MS = 1000

/**
 * Waits for what the store is asked, and says on standard error that it waits once that takes longer than two seconds: on a terminal in
 * one line, written anew every second; else in one line.
 */
export async function patiently<T>(err: Output, what: string, asked: Promise<T>): Promise<T> {
  const since = performance.now()
  let told = false
  const tell = () => {
    const line = `slotkeeper: ${what}, ${age(performance.now() - since)} so far; the store has not answered yet`
    if (err.isTerminal) err.write(`\r\x1b[K${line.slice(0, err.columns - 1)}`)
    else if (!told) err.write(`${line}\n`)
    told = true
  }
  let timer = setTimeout(() => {
    tell()
    timer = setInterval(tell, TICK_MS)
  }, FIRST_MS)
  try {
    return await asked
  } finally {
    clearTimeout(timer)
    if (told && err.isTerminal) err.write('\r\x1b[K')
  }
}
