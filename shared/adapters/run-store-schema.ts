import { HANDED_MS } from '../core/run/run.ts';

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
  // Runs that wait, leases, pauses, schedules of the past, messages. A run of before gets a lease as of a claim.
  `
  ALTER TABLE run ADD COLUMN cause TEXT;
  ALTER TABLE run ADD COLUMN not_before INTEGER;
  ALTER TABLE run ADD COLUMN start_by INTEGER;
  ALTER TABLE run ADD COLUMN max_active_runs INTEGER;
  ALTER TABLE run ADD COLUMN lease_until INTEGER;
  ALTER TABLE run ADD COLUMN cancel_request TEXT;
  ALTER TABLE run ADD COLUMN requests TEXT;
  ALTER TABLE run ADD COLUMN follows_order INTEGER NOT NULL DEFAULT 1;
  UPDATE run SET lease_until = created_at + 300000 WHERE status IN ('claimed', 'running');
  CREATE INDEX run_pending ON run (job_id, cause, scheduled_time, created_at, run_id, not_before)
    WHERE status = 'pending';
  CREATE INDEX run_owed ON run (job_id, scheduled_time) WHERE status = 'pending' AND follows_order = 1;
  CREATE INDEX run_span ON run (job_id, scheduled_time, run_id) WHERE span_from IS NOT NULL;

  CREATE TABLE pause (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL,
    from_time INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    pause TEXT NOT NULL
  ) STRICT;
  CREATE INDEX pause_of_job ON pause (job_id, from_time);
  CREATE INDEX pause_by_end ON pause (job_id, ends_at);
  CREATE INDEX pause_expiry ON pause (ends_at);

  CREATE TABLE zone_table (hash TEXT PRIMARY KEY, zone_table TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE schedule (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL,
    from_time INTEGER NOT NULL,
    until_time INTEGER,
    zone_table TEXT NOT NULL REFERENCES zone_table (hash),
    schedule TEXT NOT NULL
  ) STRICT;
  CREATE INDEX schedule_of_job ON schedule (job_id, from_time);
  CREATE INDEX schedule_in_force ON schedule (job_id) WHERE until_time IS NULL;
  CREATE INDEX schedule_expiry ON schedule (until_time) WHERE until_time IS NOT NULL;

  CREATE TABLE notification (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    next_try_at INTEGER NOT NULL,
    notification TEXT NOT NULL
  ) STRICT;
  CREATE INDEX notification_by_try ON notification (next_try_at);

  CREATE TABLE alias (job_id TEXT PRIMARY KEY, new_id TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // Ledger passes that start nothing themselves.
  `
  ALTER TABLE run ADD COLUMN handed_at INTEGER;
  DROP INDEX run_pending;
  CREATE INDEX run_pending ON run (job_id, cause, scheduled_time, created_at, run_id, not_before, handed_at)
    WHERE status = 'pending';
  ALTER TABLE plan ADD COLUMN target TEXT;
  CREATE TABLE turn (crontab TEXT PRIMARY KEY, token TEXT NOT NULL, until_time INTEGER NOT NULL) STRICT;
  `,
];

const RUN_COLUMNS = `id, job_id, run_id, scheduled_time, triggered_by, status, reason, blocked_by, span_from,
  plan_hash, created_at, finished_at, expires_at, holds_lock, cause, not_before, start_by, handed_at,
  max_active_runs, owner, lease_until, cancel_request, requests, attempts`;

// As `isHandedOut` has it.
const HANDED = `COALESCE(handed_at, -${HANDED_MS}) + ${HANDED_MS}`;

// Jobs of a crontab are those whose id begins with its name and a slash; '0' is what follows '/'.
const OF_CRONTAB = `job_id > ?1 || '/' AND job_id < ?1 || '0'`;

/** Every statement of the SQLite run store. */
export const STATEMENTS = {
  run: `SELECT ${RUN_COLUMNS} FROM run WHERE run_id = ? AND job_id = ?`,
  runs: `SELECT ${RUN_COLUMNS} FROM run WHERE (created_at, job_id, run_id) < (?, ?, ?)
    ORDER BY created_at DESC, job_id DESC, run_id DESC LIMIT ?`,
  runsOfJob: `SELECT ${RUN_COLUMNS} FROM run WHERE job_id = ? AND (created_at, run_id) < (?, ?)
    ORDER BY created_at DESC, run_id DESC LIMIT ?`,
  spanAt: `SELECT ${RUN_COLUMNS} FROM run
    WHERE span_from IS NOT NULL AND job_id = ?1 AND scheduled_time >= ?2 AND span_from <= ?2
    ORDER BY scheduled_time, run_id LIMIT 1`,
  unfinished: `SELECT ${RUN_COLUMNS} FROM run WHERE status IN ('claimed', 'running')
    ORDER BY job_id, created_at, run_id`,
  unfinishedOfJob: `SELECT ${RUN_COLUMNS} FROM run WHERE job_id = ? AND status IN ('claimed', 'running')
    ORDER BY created_at, run_id`,
  owedBefore: `SELECT ${RUN_COLUMNS} FROM run
    WHERE status = 'pending' AND follows_order = 1 AND job_id = ? AND scheduled_time < ? ORDER BY scheduled_time`,
  // Due runs are named by their instants, so those of a stretch of time lie side by side; `+` keeps from the job's index.
  answeredUntil: `SELECT MAX(scheduled_time) AS instant FROM (
    SELECT scheduled_time FROM run WHERE run_id > ?4 AND run_id <= ?5 AND +job_id = ?1
      AND follows_order = 1 AND scheduled_time > ?2 AND scheduled_time <= ?3
    UNION ALL SELECT scheduled_time FROM run
      WHERE span_from IS NOT NULL AND job_id = ?1 AND scheduled_time > ?2 AND scheduled_time <= ?3)`,
  answered: `SELECT run_id, scheduled_time, NULL AS span_from FROM run WHERE run_id > ?4 AND run_id <= ?5 AND +job_id = ?1
    UNION ALL SELECT run_id, scheduled_time, span_from FROM run
      WHERE span_from IS NOT NULL AND job_id = ?1 AND scheduled_time > ?2 AND span_from <= ?3`,
  expired: `SELECT COUNT(*) AS count FROM run WHERE expires_at <= ?`,
  pending: `SELECT ${RUN_COLUMNS} FROM
      (SELECT DISTINCT job_id AS kind_job, cause AS kind_cause FROM run WHERE status = 'pending')
    CROSS JOIN run ON id = (
      SELECT id FROM run WHERE status = 'pending' AND job_id = kind_job AND cause IS kind_cause
        AND MAX(not_before, ${HANDED}) <= ?
      ORDER BY scheduled_time, created_at, run_id LIMIT 1)
    ORDER BY scheduled_time, created_at, job_id, run_id LIMIT ?`,
  pendingCounts: `SELECT job_id, COUNT(*) AS count FROM run WHERE status = 'pending' AND ${OF_CRONTAB}
    GROUP BY job_id ORDER BY job_id`,
  insertRun: `INSERT INTO run (job_id, run_id, scheduled_time, triggered_by, plan_hash, created_at, span_from,
    status, reason, blocked_by, finished_at, expires_at, holds_lock, cause, not_before, start_by, handed_at,
    max_active_runs, owner, lease_until, cancel_request, requests, follows_order, attempts)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  updateRun: `UPDATE run SET status = ?, reason = ?, blocked_by = ?, finished_at = ?, expires_at = ?, holds_lock = ?,
    cause = ?, not_before = ?, start_by = ?, handed_at = ?, max_active_runs = ?, owner = ?, lease_until = ?,
    cancel_request = ?, requests = ?, follows_order = ?, attempts = ? WHERE id = ?`,
  startRun: `UPDATE run SET status = ?, attempts = ? WHERE id = ?`,
  extendRun: `UPDATE run SET lease_until = ? WHERE id = ?`,
  extendSpan: `UPDATE run SET scheduled_time = ? WHERE id = ?`,
  prune: `DELETE FROM run WHERE id IN (SELECT id FROM run WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?)`,
  output: `SELECT output FROM output WHERE run = (SELECT id FROM run WHERE run_id = ? AND job_id = ?) AND attempt = ?`,
  setOutput: `INSERT OR REPLACE INTO output (run, attempt, output) VALUES (?, ?, ?)`,
  newest: `SELECT newest_instant, newest_run_id FROM control WHERE job_id = ?`,
  settleNewest: `INSERT INTO control (job_id, newest_instant, newest_run_id) VALUES (?, ?, ?)
    ON CONFLICT (job_id) DO UPDATE SET newest_instant = excluded.newest_instant,
      newest_run_id = excluded.newest_run_id
    WHERE excluded.newest_instant > newest_instant`,
  state: `SELECT state FROM state WHERE job_id = ?`,
  states: `SELECT state FROM state WHERE ${OF_CRONTAB} ORDER BY job_id`,
  setState: `INSERT OR REPLACE INTO state (job_id, state) VALUES (?, ?)`,

  pauses: `SELECT id, job_id, from_time, pause FROM pause WHERE job_id = ? ORDER BY from_time, id`,
  /** Of a job, those that end after an instant. */
  pausesAfter: `SELECT id, job_id, from_time, pause FROM pause WHERE job_id = ? AND ends_at > ? ORDER BY ends_at, id`,
  pausesAt: `SELECT job_id, from_time, pause FROM pause INDEXED BY pause_expiry
    WHERE ends_at > ?2 AND from_time <= ?2 AND ${OF_CRONTAB}
    ORDER BY job_id, from_time, id`,
  insertPause: `INSERT INTO pause (job_id, from_time, ends_at, pause) VALUES (?, ?, ?, ?)`,
  endPause: `UPDATE pause SET ends_at = ?, pause = ? WHERE id = ?`,
  prunePauses: `DELETE FROM pause WHERE ends_at <= ?`,

  schedules: `SELECT job_id, from_time, until_time, zone_table, schedule FROM schedule WHERE job_id = ?
    ORDER BY from_time, id`,
  currentSchedules: `SELECT job_id, from_time, until_time, zone_table, schedule FROM schedule
    WHERE until_time IS NULL AND ${OF_CRONTAB} ORDER BY job_id, id`,
  zoneTable: `SELECT zone_table FROM zone_table WHERE hash = ?`,
  keepZoneTable: `INSERT OR IGNORE INTO zone_table (hash, zone_table) VALUES (?, ?)`,
  dropSchedule: `DELETE FROM schedule WHERE job_id = ? AND until_time IS NULL AND from_time = ?`,
  closeSchedule: `UPDATE schedule SET until_time = ? WHERE job_id = ? AND until_time IS NULL`,
  openSchedule: `INSERT INTO schedule (job_id, from_time, until_time, zone_table, schedule) VALUES (?, ?, ?, ?, ?)`,
  pruneSchedules: `DELETE FROM schedule WHERE until_time <= ?`,

  alias: `SELECT new_id FROM alias WHERE job_id = ?`,
  setAlias: `INSERT OR REPLACE INTO alias (job_id, new_id) VALUES (?1, ?2)`,
  // A run whose id the new name has itself stays where it is.
  renameRuns: `UPDATE OR IGNORE run SET job_id = ?2 WHERE job_id = ?1`,
  renamePauses: `UPDATE pause SET job_id = ?2 WHERE job_id = ?1`,
  renameSchedules: `UPDATE schedule SET job_id = ?2 WHERE job_id = ?1`,
  deleteNewest: `DELETE FROM control WHERE job_id = ?`,
  deleteState: `DELETE FROM state WHERE job_id = ?`,

  queueNotification: `INSERT INTO notification (id, next_try_at, notification) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET next_try_at = excluded.next_try_at, notification = excluded.notification`,
  dueNotifications: `SELECT number, notification FROM notification WHERE next_try_at <= ?
    ORDER BY next_try_at, number LIMIT ?`,
  reserveNotification: `UPDATE notification SET next_try_at = ? WHERE number = ?`,
  notification: `SELECT number, notification FROM notification WHERE id = ?`,
  retryNotification: `UPDATE notification SET next_try_at = ?, notification = ? WHERE number = ?`,
  deleteNotification: `DELETE FROM notification WHERE id = ?`,

  cursor: `SELECT handled_until FROM cursor WHERE crontab = ?`,
  setCursor: `INSERT OR REPLACE INTO cursor (crontab, handled_until) VALUES (?, ?)`,
  turn: `SELECT token, until_time FROM turn WHERE crontab = ?`,
  setTurn: `INSERT OR REPLACE INTO turn (crontab, token, until_time) VALUES (?, ?, ?)`,
  plan: `SELECT hash, since, plan, target FROM plan WHERE crontab = ?`,
  setPlan: `INSERT OR REPLACE INTO plan (crontab, hash, since, plan, target) VALUES (?, ?, ?, ?, ?)`,
  crontabs: `SELECT crontab FROM plan ORDER BY crontab`,
} as const;
