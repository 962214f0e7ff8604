/** What a code means, for `docs/errors.md` and for `retryable`. */
export interface ErrorCodeInfo {
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean
  readonly meaning: string
  readonly remedy: string
}

/** Every code there is. A code never changes its meaning inside a major version. */
export const ERROR_CODES = {
  SLOTKEEPER_INVALID_ARGUMENT: {
    retryable: false,
    meaning: 'A call was given something it cannot use; nothing was sent to the store.',
    remedy: 'The message names the argument, what was found and what is expected.',
  },
  SLOTKEEPER_INVALID_CONFIG: {
    retryable: false,
    meaning: 'Settings or environment variables hold wrong values.',
    remedy: 'Mend every key that `problems` lists; all of them are listed at once.',
  },
  SLOTKEEPER_CONCURRENCY_DISABLED: {
    retryable: false,
    meaning: '`concurrency-enabled` is false, so there is no Manager to make.',
    remedy: 'Set `concurrency-enabled: "true"`, or work without slots.',
  },
  SLOTKEEPER_DRIVER_NOT_INSTALLED: {
    retryable: false,
    meaning: 'The package of the configured driver is not installed.',
    remedy: 'Run the install command in the message.',
  },
  SLOTKEEPER_DRIVER_UNUSABLE: {
    retryable: false,
    meaning: 'The package of the configured driver is there, but fails to load or does not fit this release.',
    remedy: 'See `cause`; install the release of the driver that belongs to this one of core.',
  },
  SLOTKEEPER_DRIVER_IN_USE: {
    retryable: false,
    meaning: 'One driver instance was given to two Managers.',
    remedy: 'Give each Manager a driver of its own; drivers on one store share the slots.',
  },
  SLOTKEEPER_UNSUPPORTED_RUNTIME: {
    retryable: false,
    meaning: 'This Node.js or operating system cannot run the driver.',
    remedy: 'Use the version that the message names.',
  },
  SLOTKEEPER_MANAGER_CLOSED: {
    retryable: false,
    meaning: 'The Manager was closed before or during the call.',
    remedy: 'Make a new Manager, or stop calling after close().',
  },
  SLOTKEEPER_CALL_TIMEOUT: {
    retryable: true,
    meaning: 'The store did not answer within the call timeout. The call may or may not have taken effect.',
    remedy: 'Ask again: the same run gets the same answer. Raise `callTimeoutMs` if the store is slow.',
  },
  SLOTKEEPER_WAIT_TIMEOUT: {
    retryable: true,
    meaning: 'No slot came free within the `timeoutMs` of a wait. The place in the queue was given up.',
    remedy: 'Wait longer, raise the limit, or look with explain() at who holds the slots.',
  },
  SLOTKEEPER_SLOT_REFUSED: {
    retryable: false,
    meaning: 'waitForSlot or withSlot cannot get a slot: the `reason` says why.',
    remedy: 'See `reason`: draining, removed, finished or held-elsewhere.',
  },
  SLOTKEEPER_ALREADY_HELD: {
    retryable: false,
    meaning: 'This Manager already holds a slot for that run, and two bodies must not share one.',
    remedy: 'Use acquireSlot, which answers `again: true`, or another run key.',
  },
  SLOTKEEPER_SUPERSEDED: {
    retryable: false,
    meaning: 'A newer waitForSlot for the same run took over this one’s place.',
    remedy: 'Keep one waiter for a run.',
  },
  SLOTKEEPER_SLOT_LOST: {
    retryable: false,
    meaning: 'The slot is not held any more, or can no longer be proved to be held.',
    remedy: 'Stop the work. Fence what it writes with the fencing token.',
  },
  SLOTKEEPER_HOLDER_LOST: {
    retryable: true,
    meaning: 'The store counts this Manager’s holder as dead: its heartbeats came too late.',
    remedy: 'Nothing: the Manager opens a new holder. Raise `holderTtlMs` if it happens often.',
  },
  SLOTKEEPER_NOT_DURABLE: {
    retryable: false,
    meaning: 'The operation exists only for durable slots.',
    remedy: 'Release the slot of a worker instead.',
  },
  SLOTKEEPER_LISTING_FAILED: {
    retryable: true,
    meaning:
      'The listing given to initQueues or auditDrift threw before its end; nothing was dropped for it.',
    remedy: 'See `cause`; call again with a new listing.',
  },
  SLOTKEEPER_STORE_UNAVAILABLE: {
    retryable: true,
    meaning: 'The store cannot be reached or does not answer.',
    remedy: 'See `cause`. Everything resumes by itself when the store is back.',
  },
  SLOTKEEPER_STORE_BUSY: {
    retryable: true,
    meaning: 'Somebody else kept the store locked for longer than the call may take.',
    remedy: 'Find out who holds the lock; raise `callTimeoutMs` if it is legitimate.',
  },
  SLOTKEEPER_STORE_FULL: {
    retryable: true,
    meaning: 'The store has no room left; nothing was written.',
    remedy: 'Free some space; calls work again by themselves.',
  },
  SLOTKEEPER_STORE_READ_ONLY: {
    retryable: false,
    meaning: 'The store does not let this process write.',
    remedy: 'Give it write access to what the message names.',
  },
  SLOTKEEPER_STORE_PERMISSION: {
    retryable: false,
    meaning: 'The store, or the directory that it lives in, refuses this process or does not exist.',
    remedy: 'Create what the message names, or grant access to it.',
  },
  SLOTKEEPER_STORE_CORRUPT: {
    retryable: false,
    meaning: 'The store holds damaged data. It was left as it was.',
    remedy: 'Restore a backup, or move the damaged store away and start with an empty one.',
  },
  SLOTKEEPER_STORE_FOREIGN: {
    retryable: false,
    meaning: 'The store belongs to another program. It was left as it was.',
    remedy: 'Name another file, schema or prefix.',
  },
  SLOTKEEPER_SCHEMA_TOO_NEW: {
    retryable: false,
    meaning: 'A newer release of the driver wrote this store.',
    remedy: 'Install the release that the message asks for; never the other way round.',
  },
  SLOTKEEPER_SCHEMA_MISSING: {
    retryable: false,
    meaning: 'The store is not set up, and this process may only check it.',
    remedy: "Set it up once with `schema: 'migrate'`.",
  },
  SLOTKEEPER_STORE_UNSUITABLE: {
    retryable: false,
    meaning: 'The server or the database is there, but of a version or an encoding that does not do.',
    remedy: 'The message says what was found and what is needed.',
  },
  SLOTKEEPER_STORE_TLS: {
    retryable: false,
    meaning:
      'The store and this process do not agree on TLS: a certificate is not trusted, or one side does not encrypt.',
    remedy: 'The message says which certificate or mode it is about. Nothing was sent but the greeting.',
  },
  SLOTKEEPER_MIGRATION_SOURCE_UNREADABLE: {
    retryable: true,
    meaning: 'The directory of the migrations, or a file in it, cannot be read.',
    remedy: 'See `cause`; mount the directory, or let this process read it.',
  },
  SLOTKEEPER_MIGRATION_SOURCE_INVALID: {
    retryable: false,
    meaning:
      'The migrations cannot be meant so: a wrong name, a number used twice, text that is not UTF-8, no file at all.',
    remedy: 'Mend every file that the message lists. Nothing was applied.',
  },
  SLOTKEEPER_MIGRATION_FAILED: {
    retryable: false,
    meaning: 'PostgreSQL refused a migration. It was rolled back, and none after it was tried.',
    remedy: 'Mend the file that the message names, at the place that it names.',
  },
  SLOTKEEPER_MIGRATION_DRIFT: {
    retryable: false,
    meaning: 'The files are not those that were applied: edited, missing, out of order, or not finished.',
    remedy: 'Put the applied files back and write a new one; or say with `repair` what is right.',
  },
  SLOTKEEPER_MIGRATION_LOCKED: {
    retryable: true,
    meaning: 'Another process kept applying migrations to this database for longer than this one may wait.',
    remedy: 'Wait; or look in `pg_locks` who has the advisory lock that the message names.',
  },
  SLOTKEEPER_INTERNAL: {
    retryable: false,
    meaning: 'Something that must never happen did: a defect of Slotkeeper or of a driver.',
    remedy: 'Report it with the message and the stack.',
  },
} as const satisfies Record<string, ErrorCodeInfo>

/** The stable name of a kind of failure. */
export type ErrorCode = keyof typeof ERROR_CODES
