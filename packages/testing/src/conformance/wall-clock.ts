const TrueDate = Date

/** Runs `work` while this process believes it is so many ms later than it is. Wall clocks decide nothing, so nobody else should notice. */
export async function withWallClock<T>(offMs: number, work: () => Promise<T>): Promise<T> {
  class WrongDate extends TrueDate {
    constructor(...args: unknown[]) {
      // @ts-expect-error the constructor of Date has several signatures
      super(...(args.length === 0 ? [TrueDate.now() + offMs] : args))
    }
    static override now(): number {
      return TrueDate.now() + offMs
    }
  }
  globalThis.Date = WrongDate as DateConstructor
  try {
    return await work()
  } finally {
    globalThis.Date = TrueDate
  }
}
