import { expect, test } from '@jest/globals';
import {
  crontabOf,
  cutToMinute,
  dueRunId,
  jobIdOf,
  jobNameOf,
  manualRunId,
  rebootRunId,
  scheduledTimeText,
} from '../../../shared/core/run/run-id.ts';

test.each<[instant: string, text: string]>([
  ['2026-03-29T01:30:00.000Z', '2026-03-29T01:30Z'],
  ['2026-03-29T01:30:59.999Z', '2026-03-29T01:30Z'],
  ['2026-03-29T03:30:00+02:00', '2026-03-29T01:30Z'],
  ['2026-03-29T00:15+05:45', '2026-03-28T18:30Z'],
  ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59Z'],
])('%s is scheduled time %s, and so is the id of the run that is due then', (instant, text) => {
  const at = Date.parse(instant);
  expect([scheduledTimeText(at), dueRunId(at), cutToMinute(at)]).toEqual([text, text, Date.parse(text)]);
});

test.each<[token: string, runId: string]>([
  ['7b1f9c1e-5a0d-4c1b-8f0e-2d3c4b5a6978', '2026-03-29T01:30Z#m7b1f9c1e5a0d'],
  ['short', '2026-03-29T01:30Z#mshort'],
])('a run by hand with the token %s is %s', (token, runId) => {
  expect(manualRunId(Date.parse('2026-03-29T01:30:12.345Z'), token)).toBe(runId);
});

test('an @reboot run is named after its occasion', () => {
  expect(rebootRunId('boot-1')).toBe('reboot#boot-1');
});

test('a job id is made of crontab and name, and taken apart again', () => {
  const jobId = jobIdOf('shop', 'nightly-backup');
  expect([jobId, crontabOf(jobId), jobNameOf(jobId)]).toEqual([
    'shop/nightly-backup',
    'shop',
    'nightly-backup',
  ]);
});
