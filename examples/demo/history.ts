import type { LogLine } from './run-log.ts'

/** When something was written: the line's number proves what came first, the time is for people. */
export interface Mark {
  readonly line: number
  readonly at: number
}

/** One try at a run: a worker asks for a slot, and a child works under it. */
export interface Attempt {
  readonly worker: string
  readonly repository: string
  readonly run: string
  priority: number
  asked: Mark
  /** The worker was told that the run waits. */
  queued: Mark | undefined
  /** The worker's holder was lost while the run waited: its place is a newer one than its `asked` tells. */
  isMoved: boolean
  start:
    | (Mark & { readonly pid: number; readonly token: bigint; readonly slot: number | undefined })
    | undefined
  end: (Mark & { readonly outcome: 'done' | 'stopped' }) | undefined
}

/** A try whose child has begun. */
export type StartedAttempt = Attempt & { readonly start: NonNullable<Attempt['start']> }

/** What happened, told from the log alone: what the live view shows, what the judge judges, and what a picture can be drawn from. */
export class History {
  readonly attempts: Attempt[] = []
  readonly kills: (Mark & { readonly worker: string })[] = []
  /** Lines that nobody should have written, as sentences. */
  readonly oddities: string[] = []
  lines = 0

  /** Takes the next line of the log. */
  add(text: string): void {
    this.lines++
    let line: LogLine
    try {
      line = JSON.parse(text) as LogLine
      this.#add(line, { line: this.lines, at: line.at })
    } catch (error) {
      this.#odd(`it cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  /** The tries whose children have begun, in that order. */
  started(): readonly StartedAttempt[] {
    return this.attempts
      .filter((attempt): attempt is StartedAttempt => attempt.start !== undefined)
      .sort((a, b) => a.start.line - b.start.line)
  }

  #add(line: LogLine, mark: Mark): void {
    switch (line.event) {
      case 'asked':
        return this.#asked(line, mark)
      case 'queued': {
        const attempt = this.#waiting(line)
        if (attempt !== undefined) attempt.queued = mark
        return
      }
      case 'start': {
        const { pid, slot } = line
        const start = { ...mark, pid, slot, token: BigInt(line.token) }
        const attempt = this.#waiting(line)
        if (attempt === undefined) this.#odd(`${line.run} began though ${line.worker} had not asked for it`)
        // Whoever asked: the child was at work.
        if (attempt === undefined) this.attempts.push({ ...begin(line, mark), start })
        else attempt.start = start
        return
      }
      case 'end': {
        const attempt = this.attempts.findLast(
          ({ run, start, end }) => run === line.run && start?.pid === line.pid && end === undefined,
        )
        if (attempt !== undefined) attempt.end = { ...mark, outcome: line.outcome }
        // A child that was killed while it started has said nothing before.
        else if (line.outcome === 'done') this.#odd(`${line.run} ended though it had not begun`)
        return
      }
      case 'holder-lost':
        for (const attempt of this.attempts)
          if (attempt.worker === line.worker && attempt.start === undefined) attempt.isMoved = true
        return
      case 'kill':
        this.kills.push({ ...mark, worker: line.worker })
        return
      default:
        this.#odd(`event ${String((line as { event: unknown }).event)} is not known`)
    }
  }

  /** Asking again before the run began is the same try, with a new place. */
  #asked(line: LogLine & { event: 'asked' }, mark: Mark): void {
    const attempt = this.#waiting(line)
    if (attempt === undefined) this.attempts.push({ ...begin(line, mark), priority: line.priority })
    else Object.assign(attempt, { asked: mark, queued: undefined, isMoved: false })
  }

  #waiting({ worker, run }: { readonly worker: string; readonly run: string }): Attempt | undefined {
    return this.attempts.findLast(
      (attempt) => attempt.worker === worker && attempt.run === run && attempt.start === undefined,
    )
  }

  #odd(sentence: string): void {
    this.oddities.push(`Line ${this.lines} of the log: ${sentence}.`)
  }
}

function begin(of: Pick<Attempt, 'worker' | 'repository' | 'run'>, asked: Mark): Attempt {
  const { worker, repository, run } = of
  return {
    worker,
    repository,
    run,
    priority: 0,
    asked,
    queued: undefined,
    isMoved: false,
    start: undefined,
    end: undefined,
  }
}
