import type {
  AcquireCommand,
  Command,
  Decide,
  Decision,
  Driver,
  Phase,
  RepositoryRow,
  RunRow,
  Section,
} from '@slotkeeper/core/driver'
import { type MemoryStore, memoryDriver, memoryStore } from '@slotkeeper/driver-memory'

/** A driver that breaks one rule, and the rule: the beginning of the names of the tests that must convict it. */
export interface BrokenDriver {
  readonly name: string
  /** Numbers are of DESIGN, `What must always hold`; words are the suite's own (`durable`, `reads`, …). */
  readonly rule: string
  /** Makes a driver, not opened, on the store of that name. */
  readonly make: (store: string) => Driver
  /** Only tests with this in their names are tried, where the others of the rule take long and tell nothing more. */
  readonly only?: RegExp
  /** It is judged by tests that change or count what a whole process shares. */
  readonly alone?: boolean
}

/** The honest memory stores that drivers of the same name share; each as long as somebody may ask for it. */
const stores = new Map<string, MemoryStore>()

export function storeOf(name: string): MemoryStore {
  let store = stores.get(name)
  if (store === undefined) {
    store = memoryStore()
    stores.set(name, store)
  }
  return store
}

export function closeStore(name: string): void {
  stores.delete(name)
}

export const memory = (store: string): Driver => memoryDriver({ store: storeOf(store) })

/** The driver, with other methods. */
export function wrap(inner: Driver, changed: Partial<Driver>): Driver {
  return {
    name: inner.name,
    manifest: inner.manifest,
    open: (options, signal) => inner.open(options, signal),
    transact: (batch, decide, signal) => inner.transact(batch, decide, signal),
    read: (query, signal) => inner.read(query, signal),
    openHolder: (holder, ttlMs, signal) => inner.openHolder(holder, ttlMs, signal),
    heartbeat: (holder, signal) => inner.heartbeat(holder, signal),
    closeHolder: (holder, signal) => inner.closeHolder(holder, signal),
    sweep: (budget, signal) => inner.sweep(budget, signal),
    watch: (options) => inner.watch(options),
    health: (signal) => inner.health(signal),
    close: () => inner.close(),
    ...changed,
  }
}

/** The memory driver behind promises, for faults in what it answers. */
export const later = (store: string): Driver => {
  const inner = memory(store)
  return wrap(inner, { manifest: { ...inner.manifest, synchronous: false } })
}

/** A driver that hands another `decide` to its store. */
export function deciding(inner: Driver, change: (decide: Decide) => Decide): Driver {
  return wrap(inner, {
    transact: (batch, decide, signal) => inner.transact(batch, change(decide), signal),
  })
}

/** The section, with some of it replaced. */
function like(section: Section, replaced: Partial<Section>): Section {
  return new Proxy(section, {
    get(target, name) {
      if (name in replaced) return Reflect.get(replaced, name, replaced)
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A memory driver whose section is not as it should be. */
export function sectioned(
  change: (section: Section, commands: readonly Command[]) => Partial<Section>,
  make: (store: string) => Driver = memory,
): (store: string) => Driver {
  return (store) =>
    deciding(
      make(store),
      (decide) => (section, commands) => decide(like(section, change(section, commands)), commands),
    )
}

/** Changes rows on their way into the store. */
export function saving(
  change: (row: RunRow, was: Phase | undefined, section: Section) => void,
  make?: (store: string) => Driver,
): (store: string) => Driver {
  return sectioned(
    (section) => ({
      saved(row, was) {
        change(row, was, section)
        section.saved(row, was)
      },
    }),
    make,
  )
}

/** Changes the repository's row for the time of a decision: `change` answers with what is to be done after it. */
export function misjudging(
  change: (
    row: RepositoryRow,
    section: Section,
    commands: readonly Command[],
  ) => ((decision: Decision) => void) | undefined,
  make: (store: string) => Driver = memory,
): (store: string) => Driver {
  return (store) =>
    deciding(make(store), (decide) => (section, commands) => {
      const undo = [...section.repositories].map((row) => change(row, section, commands))
      const decision = decide(section, commands)
      for (const one of undo) one?.(decision)
      return decision
    })
}

/** Does something to the rows before, and after, they are decided. */
export function meddling(
  before: (section: Section, commands: readonly Command[]) => void,
  after: (section: Section, commands: readonly Command[], decision: Decision) => void = () => {},
  make: (store: string) => Driver = memory,
): (store: string) => Driver {
  return (store) =>
    deciding(make(store), (decide) => (section, commands) => {
      before(section, commands)
      const decision = decide(section, commands)
      after(section, commands, decision)
      return decision
    })
}

/** Has other commands decided than those that were sent; the answers are the senders'. */
export function replacing(
  change: (command: Command, section: Section, commands: readonly Command[]) => Command,
  make: (store: string) => Driver = memory,
): (store: string) => Driver {
  return (store) =>
    deciding(make(store), (decide) => (section, commands) => {
      const others = commands.map((command) => change(command, section, commands))
      const decision = decide(section, others)
      for (const [at, command] of commands.entries())
        (command as { outcome: unknown }).outcome = others[at]?.outcome
      return decision
    })
}

/** Slips a command of its own in before each one for which `extra` makes one. */
export function preceding(
  extra: (command: Command, section: Section) => Command | undefined,
): (store: string) => Driver {
  return (store) =>
    deciding(memory(store), (decide) => (section, commands) => {
      const all = commands.flatMap((command) => [extra(command, section) ?? [], command].flat())
      const decision = decide(section, all)
      return { ...decision, decided: commands.length }
    })
}

export function isAcquire(command: Command): command is AcquireCommand {
  return command.kind === 'acquire'
}

/** The row that a command names. */
export function rowOf(section: Section, command: Command): RunRow | undefined {
  return 'run' in command ? section.run(command.repository, command.run) : undefined
}

/** The rows that were granted to commands of this decision. */
export function grantsOf(commands: readonly Command[], { granted }: Decision): RunRow[] {
  const rows = new Set(granted)
  for (const { outcome } of commands)
    if (outcome !== undefined && outcome.kind === 'granted' && 'again' in outcome && !outcome.again)
      rows.add(outcome.row)
  return [...rows]
}
