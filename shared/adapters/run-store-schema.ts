/** Marks a database as a run store of kuber-cron: `kcrn` in ASCII. */
export const APPLICATION_ID = 0x6b63726e;

/**
 * Steps from an empty database to the tables in use; a database's `user_version` counts those that it has seen. A
 * released step is never edited.
 *
 * Times are epoch milliseconds. A run's primary key begins with the run id because the runs of one minute then lie
 * side by side, whatever their jobs: a thousand claims touch a few pages.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    scheduled_time INTEGER NOT NULL,
    triggered_by TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    blocked_by TEXT,
    span_from INTEGER,
    plan_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    expires_at INTEGER,
    holds_lock INTEGER NOT NULL,
    owner TEXT,
    attempts TEXT NOT NULL,
    UNIQUE (run_id, job_id)
  ) STRICT;
  CREATE INDEX run_by_creation ON run (created_at, job_id, run_id);
  CREATE INDEX run_of_job ON run (job_id, created_at, run_id);
  CREATE INDEX run_unfinished ON run (job_id, created_at, run_id) WHERE status IN ('claimed', 'running');
  CREATE INDEX run_by_expiry ON run (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE output (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    output TEXT NOT NULL,
    PRIMARY KEY (run, attempt)
  ) STRICT;

  CREATE TABLE control (
    job_id TEXT PRIMARY KEY,
    newest_instant INTEGER NOT NULL,
    newest_run_id TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE state (job_id TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE cursor (crontab TEXT PRIMARY KEY, handled_until INTEGER NOT NULL) STRICT;

  CREATE TABLE plan (
    crontab TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    since INTEGER NOT NULL,
    plan TEXT NOT NULL
  ) STRICT;
  `,
];

const RUN_COLUMNS = `id, job_id, run_id, scheduled_time, triggered_by, status, reason, blocked_by, span_from,
  plan_hash, created_at, finished_at, expires_at, holds_lock, owner, attempts`;

/** Every statement of the SQLite run store. */
export const STATEMENTS = {
  run: `SELECT ${RUN_COLUMNS} FROM run WHERE run_id = ? AND job_id = ?`,
  runs: `SELECT ${RUN_COLUMNS} FROM run WHERE (created_at, job_id, run_id) < (?, ?, ?)
    ORDER BY created_at DESC, job_id DESC, run_id DESC LIMIT ?`,
  runsOfJob: `SELECT ${RUN_COLUMNS} FROM run WHERE job_id = ? AND (created_at, run_id) < (?, ?)
    ORDER BY created_at DESC, run_id DESC LIMIT ?`,
  unfinished: `SELECT ${RUN_COLUMNS} FROM run WHERE status IN ('claimed', 'running')
    ORDER BY job_id, created_at, run_id`,
  unfinishedOfJob: `SELECT run_id, scheduled_time, triggered_by, holds_lock FROM run
    WHERE job_id = ? AND status IN ('claimed', 'running')`,
  insertRun: `INSERT INTO run (job_id, run_id, scheduled_time, triggered_by, status, reason, blocked_by, span_from,
    plan_hash, created_at, finished_at, expires_at, holds_lock, owner, attempts)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  startRun: `UPDATE run SET status = ?, attempts = ? WHERE id = ?`,
  finishRun: `UPDATE run SET status = ?, reason = ?, finished_at = ?, expires_at = ?, owner = NULL, attempts = ?
    WHERE id = ?`,
  deleteRun: `DELETE FROM run WHERE id = ?`,
  prune: `DELETE FROM run WHERE id IN (SELECT id FROM run WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?)`,
  output: `SELECT output FROM output WHERE run = (SELECT id FROM run WHERE run_id = ? AND job_id = ?) AND attempt = ?`,
  setOutput: `INSERT OR REPLACE INTO output (run, attempt, output) VALUES (?, ?, ?)`,
  newest: `SELECT newest_instant, newest_run_id FROM control WHERE job_id = ?`,
  settleNewest: `INSERT INTO control (job_id, newest_instant, newest_run_id) VALUES (?, ?, ?)
    ON CONFLICT (job_id) DO UPDATE SET newest_instant = excluded.newest_instant,
      newest_run_id = excluded.newest_run_id
    WHERE excluded.newest_instant > newest_instant`,
  state: `SELECT state FROM state WHERE job_id = ?`,
  // Jobs of a crontab are those whose id begins with its name and a slash; '0' is what follows '/'.
  states: `SELECT state FROM state WHERE job_id > ? || '/' AND job_id < ? || '0' ORDER BY job_id`,
  setState: `INSERT OR REPLACE INTO state (job_id, state) VALUES (?, ?)`,
  cursor: `SELECT handled_until FROM cursor WHERE crontab = ?`,
  setCursor: `INSERT OR REPLACE INTO cursor (crontab, handled_until) VALUES (?, ?)`,
  plan: `SELECT hash, since, plan FROM plan WHERE crontab = ?`,
  setPlan: `INSERT OR REPLACE INTO plan (crontab, hash, since, plan) VALUES (?, ?, ?, ?)`,
  crontabs: `SELECT crontab FROM plan ORDER BY crontab`,
} as const;
