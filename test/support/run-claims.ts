import type { Attempt, Owner, Run } from '../../shared/core/run/run.ts';
import { dueRunId } from '../../shared/core/run/run-id.ts';
import type { Answer, Claim, ClaimResult, Finish, Owed, RunStore } from '../../shared/core/run/run-store.ts';
import type { ScheduleChange } from '../../shared/core/run/schedule-history.ts';

export const MINUTE = 60_000;
/** How long the claims here are their owner's. */
export const LEASE = 5 * MINUTE;
/** 2026-03-29T01:30Z */
export const SPRING_NIGHT = Date.UTC(2026, 2, 29, 1, 30);

export function ownerOf(token: string): Owner {
  return { token, host: 'host-1', bootId: 'boot-1', pid: 4242, processStart: '77' };
}

/** A claim of the due run of `shop/backup` at its scheduled time. */
export function claimOf(fields: Partial<Omit<Claim, 'owner'>> & { readonly token?: string } = {}): Claim {
  const { token = 'token-1', scheduledTime = SPRING_NIGHT, ...rest } = fields;
  return {
    jobId: 'shop/backup',
    runId: dueRunId(scheduledTime),
    scheduledTime,
    trigger: 'schedule',
    planHash: 'hash-1',
    owner: ownerOf(token),
    concurrencyPolicy: 'forbid',
    at: scheduledTime,
    leaseUntil: (rest.at ?? scheduledTime) + LEASE,
    ...rest,
  };
}

/** A successful end of the run of a claim, three seconds after it. */
export function finishOf(claim: Claim, fields: Partial<Finish> = {}): Finish {
  const { jobId, runId, owner, at } = claim;
  return {
    jobId,
    runId,
    token: owner.token,
    status: 'succeeded',
    attempt: { number: 1, startedAt: at + 1000, finishedAt: at + 3000, status: 'succeeded', exitCode: 0 },
    at: at + 3000,
    ...fields,
  };
}

/** The answer to a due run of `shop/backup` that came too late. */
export function answerOf(fields: Partial<Answer> = {}): Answer {
  const scheduledTime = fields.scheduledTime ?? SPRING_NIGHT;
  return {
    jobId: 'shop/backup',
    runId: dueRunId(scheduledTime),
    scheduledTime,
    trigger: 'schedule',
    planHash: 'hash-1',
    status: 'missed',
    reason: 'too-late',
    at: scheduledTime + 10 * MINUTE,
    ...fields,
  };
}

/** The run that a claim is about. @throws Error when a pause answers for it */
export function runOf(result: ClaimResult): Run {
  if (result.outcome === 'paused') throw new Error('there is no run: the job was paused at its time');
  return result.run;
}

/** A plan that leaves the schedules and the names of jobs as they are. */
export const NO_CHANGE: ScheduleChange = { at: SPRING_NIGHT, closed: [], opened: [], renamed: [] };

/** A run of `shop/backup` that is owed from a downtime. */
export function owedOf(fields: Partial<Owed> = {}): Owed {
  const scheduledTime = fields.scheduledTime ?? SPRING_NIGHT;
  return {
    jobId: 'shop/backup',
    runId: dueRunId(scheduledTime),
    scheduledTime,
    trigger: 'catch-up',
    planHash: 'hash-1',
    cause: 'catch-up',
    notBefore: scheduledTime,
    at: scheduledTime,
    ...fields,
  };
}

/** Claims a run and starts its next attempt a second later. @throws Error when the claim is not won */
export async function startRun(store: RunStore, claim: Claim): Promise<Run> {
  const { jobId, runId, attempts } = runOf(await store.claim(claim));
  const attempt = { number: attempts.length + 1, startedAt: claim.at + 1000 };
  if (!(await store.start(jobId, runId, claim.owner.token, attempt)))
    throw new Error(`${runId} is not started`);
  return (await store.run(jobId, runId)) as Run;
}

/** Claims, starts and ends a run. */
export async function runToEnd(store: RunStore, claim: Claim, fields: Partial<Finish> = {}): Promise<void> {
  const { attempts } = await startRun(store, claim);
  const finish = finishOf(claim);
  const { number } = attempts.at(-1) as Attempt;
  const attempt = { ...(finish.attempt as Attempt), number, status: fields.status ?? finish.status };
  if (!(await store.finish({ ...finish, attempt, ...fields })))
    throw new Error(`${claim.runId} is not ended`);
}

/** Records one answer, and nothing that is owed. */
export function recordAnswer(store: Pick<RunStore, 'settle'>, answer: Answer): Promise<void> {
  return store.settle({ answers: [answer], owed: [] });
}
