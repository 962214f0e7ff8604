/**
 * Calls of which none may pass another. Those that failed are asked again together, in their order, once none of the others is under
 * way any more.
 */
export class CallList {
  readonly #length: number
  #begun = 0
  readonly #underway = new Set<object>()
  #failed: (() => void)[] = []
  #pause: (() => Promise<void>) | undefined

  /** Of so many calls. */
  constructor(length: number) {
    this.#length = length
  }

  /** The call sets out. */
  begin(call: object): void {
    this.#begun++
    this.#underway.add(call)
  }

  /** The call has its answer, or needs none any more. */
  over(call: object): void {
    if (this.#underway.delete(call)) this.#goOn()
  }

  /** Waits, after a call has failed, for what became of the others, and then with all that failed for the one pause. */
  others(call: object, pause: () => Promise<void>): Promise<void> {
    this.#pause ??= pause
    return new Promise((resolve) => {
      this.#failed.push(() => {
        this.#underway.add(call)
        resolve()
      })
      this.#underway.delete(call)
      this.#goOn()
    })
  }

  #goOn(): void {
    if (this.#begun < this.#length || this.#underway.size > 0 || this.#pause === undefined) return
    const [pause, failed] = [this.#pause, this.#failed]
    this.#pause = undefined
    this.#failed = []
    const goOn = () => {
      for (const again of failed) again()
    }
    // Ended by the closing of the Manager, which every call hears of itself.
    pause().then(goOn, goOn)
  }
}
