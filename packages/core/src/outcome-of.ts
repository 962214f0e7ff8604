import type { Command } from './commands.ts'

/** The outcome that a kind of command gets. */
export type OutcomeOf<C extends Command> = Outcomes[C['kind']]

type Outcomes = { [C in Command as C['kind']]: NonNullable<C['outcome']> }
