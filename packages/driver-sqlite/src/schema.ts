/** `slot`, big-endian: SQLite's own place for telling one program's files from another's. */
export const APPLICATION_ID = 0x736c6f74
/** The layout below. A file with a higher one was written by a newer release. */
export const SCHEMA_VERSION = 3

/**
 * The rows of `@slotkeeper/core/driver`, one table each. Keys compare byte by byte (SQLite's BINARY). Times are store time in ms,
 * those that end in `_at` of an attempt wall time. Texts without a question are JSON: `local`, `global`,
 * `removed_uids`, `counts` and `rest`, which is all of a run that no question asks for. The partial indexes are what makes
 * every question cost the rows it returns.
 *
 * A commit costs the pages that it changes more than anything else. So runs are filed by their own names first, which often grow, and
 * what the commonest commits change is one row of `recent`, which comes before the tables until it is settled into them (recent.ts).
 *
 * Ids have no gaps. Those of `recent` are above `meta.settled`; `at` is the store time of the commit, `changes` is JSON (recent-row.ts). The
 * newest row of `event` is never deleted, so no id comes twice; `origin` is the driver that wrote it, which has its events already, and
 * `events` those of one commit, as JSON.
 */
export const SCHEMA = `
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  boot TEXT NOT NULL,            -- the boot that uptimes belong to
  base REAL NOT NULL,            -- store time = base + uptime
  latest REAL NOT NULL,          -- store time got so far at least; rows may tell of later ones
  token_floor INTEGER NOT NULL,  -- the highest token of any repository that was removed
  settled INTEGER NOT NULL       -- the last row of recent that is in the tables and gone
) STRICT;

CREATE TABLE holder (
  holder TEXT PRIMARY KEY,
  ttl_ms REAL NOT NULL,
  expires_at REAL NOT NULL,
  dead INTEGER NOT NULL,
  epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX holder_expiry ON holder (dead, expires_at);

CREATE TABLE domain (
  domain TEXT PRIMARY KEY,
  watched_until REAL NOT NULL,
  backlog INTEGER NOT NULL,
  swept_until REAL NOT NULL      -- somebody takes care of it until then
) STRICT, WITHOUT ROWID;
CREATE INDEX domain_backlog ON domain (swept_until) WHERE backlog = 1;

CREATE TABLE repository (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- of one life: the records of a removed repository stay behind, nobody's, until they run out
  repository TEXT NOT NULL UNIQUE,
  domain TEXT NOT NULL,
  status TEXT NOT NULL,
  state TEXT NOT NULL,
  local TEXT,
  global TEXT,
  removed_uids TEXT NOT NULL,
  due_at REAL,
  counts TEXT NOT NULL,
  committed_at REAL NOT NULL     -- of the last commit that changed the row
) STRICT;
CREATE INDEX repository_due ON repository (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE run (
  run TEXT NOT NULL,
  repository INTEGER NOT NULL,   -- its id
  phase TEXT NOT NULL,
  holder TEXT,
  priority REAL NOT NULL,
  sequence INTEGER NOT NULL,
  due_at REAL,
  rest TEXT NOT NULL,
  PRIMARY KEY (run, repository)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_queue ON run (repository, priority DESC, sequence) WHERE phase = 'waiting' AND due_at IS NULL;
CREATE INDEX run_parked ON run (repository, priority DESC, sequence) WHERE phase = 'waiting' AND due_at IS NOT NULL;
CREATE INDEX run_holder ON run (holder, repository, phase) WHERE holder IS NOT NULL;
CREATE INDEX run_due ON run (repository, due_at) WHERE due_at IS NOT NULL AND phase <> 'record';
CREATE INDEX run_any_due ON run (due_at) WHERE due_at IS NOT NULL AND phase <> 'record';
CREATE INDEX run_record ON run (due_at) WHERE phase = 'record';

CREATE TABLE recent (
  id INTEGER PRIMARY KEY,
  at REAL NOT NULL,
  changes TEXT NOT NULL
) STRICT;

CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  events TEXT NOT NULL
) STRICT;
`
