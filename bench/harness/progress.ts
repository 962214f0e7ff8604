/** How often a line is written where standard error is no terminal. */
const LINE_EVERY_MS = 10_000

/** Says on standard error what goes on, once it goes on for two seconds. */
export class Progress {
  readonly #title: string
  readonly #start = performance.now()
  #last = 0
  #shown = false

  constructor(title: string) {
    this.#title = title
  }

  say(what: string): void {
    const now = performance.now()
    const seconds = Math.round((now - this.#start) / 1000)
    const line = `${this.#title}: ${what}${seconds < 2 ? '' : `, ${seconds} s`}`
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\x1b[2K${line}`)
      this.#shown = true
    } else if (this.#last === 0 || now - this.#last >= LINE_EVERY_MS) {
      console.error(line)
      this.#last = now
    }
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shown) process.stderr.write('\r\x1b[2K')
  }
}
