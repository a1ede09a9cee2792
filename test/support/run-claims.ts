import type { Owner } from '../../shared/core/run/run.ts';
import { dueRunId } from '../../shared/core/run/run-id.ts';
import type { Answer, Claim, Finish } from '../../shared/core/run/run-store.ts';

export const MINUTE = 60_000;
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
