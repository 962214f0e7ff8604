import type { FaultKind, FenceWrite, TortureLine } from './lines.ts'

/** What only the store's own test can do to it. What is absent is not done. */
export interface StoreFaults {
  /** Keeps the store locked for so long, as another program might; resolves when it is free again. */
  lockFor?(ms: number): Promise<void>
  /** Leaves the store no room to grow. */
  fill?(): void | Promise<void>
  /** Gives it room again. Also called when there is nothing to undo. */
  unfill?(): void | Promise<void>
}

/** What is tortured, and how. */
export interface TortureOptions {
  /** Path of a module that exports `openDriver(store)`, which makes a driver, not opened, on the store of that name. */
  readonly module: string
  /** Name or path of an empty store. */
  readonly store: string
  /** Default: `SLOTKEEPER_SEED`, or a new one. The store's and the system's timing is their own. */
  readonly seed?: number
  /** How long faults are injected. Default: `SLOTKEEPER_TORTURE_SECONDS`, or 15. */
  readonly seconds?: number
  readonly faults?: StoreFaults
  /** Worker processes; default 4. */
  readonly workers?: number
  /** How many bodies of each process want slots at once, besides durable ones; default 6. */
  readonly wishers?: number
  /** Default 3. */
  readonly repositories?: number
  /** Of the workers' holders. Default 1,500, or the driver's minimum. */
  readonly ttlMs?: number
  /** Arguments for Node.js in the worker processes. */
  readonly execArgv?: readonly string[]
}

/** What a torture that found nothing wrong came to. */
export interface TortureReport {
  readonly seed: number
  readonly lines: readonly TortureLine[]
  readonly writes: readonly FenceWrite[]
  readonly figures: TortureFigures
}

/** How much happened. */
export interface TortureFigures {
  readonly grants: number
  readonly adoptions: number
  readonly processes: number
  /** Faults by kind. */
  readonly faults: Readonly<Record<FaultKind, number>>
  /** Slots in the hands of processes when they were killed, stopped or blocked. */
  readonly slotsHit: number
  /** Signals that aborted under a body, by reason. */
  readonly lost: Readonly<Record<string, number>>
  /** Failures that the processes saw, by code. */
  readonly errors: Readonly<Record<string, number>>
  /** Writes to the fenced resource, and those of them that it refused. */
  readonly writes: number
  readonly refused: number
}
