import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type ForeignFile, ResultSpool } from '../../shared/adapters/result-spool.ts';
import type { Finish } from '../../shared/core/run/run-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
let made = 0;

function newFolder(): string {
  return join(folder, `state-${++made}`, 'spool');
}

const FINISH: Finish = {
  jobId: 'shop/nightly-backup',
  runId: '2026-11-23T03:30Z',
  token: 'b7e2',
  status: 'failed',
  reason: 'exit-code',
  attempt: {
    number: 1,
    startedAt: 1000,
    finishedAt: 2000,
    status: 'failed',
    reason: 'exit-code',
    exitCode: 7,
  },
  output: { stdout: { text: 'ü\0\n', droppedBytes: 3 }, stderr: { text: '', droppedBytes: 0 } },
  at: 2000,
};
const { attempt: _attempt, output: _output, ...NEVER_STARTED } = FINISH;
const SECOND: Finish = { ...FINISH, attempt: { number: 2, startedAt: 3000 }, at: 500 };

function allOf(spool: ResultSpool): { found: readonly Finish[]; foreign: readonly ForeignFile[] } {
  const foreign: ForeignFile[] = [];
  return { found: spool.all((file) => foreign.push(file)), foreign };
}

describe('a spool of results', () => {
  test.each<[what: string, put: readonly Finish[], removed: readonly Finish[], left: readonly Finish[]]>([
    ['nothing', [], [], []],
    ['a result', [FINISH], [], [FINISH]],
    ['a result of a run that was never started', [NEVER_STARTED], [], [NEVER_STARTED]],
    ['the oldest first', [FINISH, SECOND], [], [SECOND, FINISH]],
    ['the same once', [FINISH, FINISH], [], [FINISH]],
    ['what came last of an attempt', [FINISH, { ...FINISH, at: 9 }], [], [{ ...FINISH, at: 9 }]],
    ['what was not removed', [FINISH, SECOND], [FINISH], [SECOND]],
    ['nothing when all was removed, be it twice', [FINISH], [FINISH, FINISH], []],
    ['both of two owners', [FINISH, { ...FINISH, token: 'c' }], [], [FINISH, { ...FINISH, token: 'c' }]],
  ])('holds %s', (_what, put, removed, left) => {
    const path = newFolder();
    const spool = new ResultSpool(path);
    for (const finish of put) spool.put(finish);
    for (const finish of removed) spool.remove(finish);
    // Another process, after this one.
    const { found, foreign } = allOf(new ResultSpool(path));
    expect([...found].sort(byToken)).toEqual([...left].sort(byToken));
    expect(found.map(({ at }) => at)).toEqual(left.map(({ at }) => at));
    expect(foreign).toEqual([]);
  });

  function byToken(a: Finish, b: Finish): number {
    return a.at - b.at || (a.token < b.token ? -1 : 1);
  }

  test('is for its user only', () => {
    const path = newFolder();
    new ResultSpool(path).put(FINISH);
    const [name = '', ...others] = readdirSync(path);
    expect(others).toEqual([]);
    expect([path, join(path, name)].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o600]);
  });

  test.each<[what: string, text: string, why: string]>([
    ['no JSON', '{"version":1,"fini', 'it is no JSON'],
    ['empty', '', 'it is no JSON'],
    ['of another program', '{"name":"x"}', 'it is no file of a spool'],
    ['null', 'null', 'it is no file of a spool'],
    ['of a later version', '{"version":2,"finish":{}}', 'it is of version 2, this program knows 1'],
    ['without a result', '{"version":1}', 'it lacks a part of a result'],
    ['without an owner', fileOf({ ...FINISH, token: '' }), 'it lacks a part of a result'],
    ['of a status that is no end', fileOf({ ...FINISH, status: 'running' }), 'it lacks a part of a result'],
    ['of an attempt without number', fileOf({ ...FINISH, attempt: {} }), 'it lacks a part of a result'],
    ['under the name of another', fileOf(SECOND), 'it has the name of another result'],
  ])('reports a file that is %s, and leaves it', (_what, text, why) => {
    const path = newFolder();
    const spool = new ResultSpool(path);
    spool.put(FINISH);
    const foreign = join(path, 'foreign.json');
    writeFileSync(foreign, text);
    expect(allOf(spool)).toEqual({ found: [FINISH], foreign: [{ path: foreign, why }] });
    expect(readFileSync(foreign, 'utf8')).toBe(text);
  });

  function fileOf(finish: unknown): string {
    return JSON.stringify({ version: 1, finish });
  }

  test('does not read what a writer had not finished when it died', () => {
    const path = newFolder();
    const spool = new ResultSpool(path);
    spool.put(FINISH);
    writeFileSync(join(path, '.half.tmp'), '{"version":1,"finish":{"jobId":');
    expect(allOf(spool)).toEqual({ found: [FINISH], foreign: [] });
  });

  const script = join(import.meta.dirname, '..', 'support', 'spool-result.ts');

  /** Keeps a result in a process whose files end at so many blocks of 512 bytes, as on a full disk. */
  function putWithin(blocks: number, path: string, finish: Finish): string {
    const limit = `trap '' XFSZ; ulimit -f ${blocks}; exec "$@"`;
    const args = ['-c', limit, 'sh', process.execPath, script, path, JSON.stringify(finish)];
    return spawnSync('/bin/sh', args, { encoding: 'utf8' }).stdout.trim();
  }

  test('keeps nothing half where there is no room, and says what to do', () => {
    const path = newFolder();
    const large = {
      ...FINISH,
      output: { ...FINISH.output, stdout: { text: 'x'.repeat(9000), droppedBytes: 0 } },
    };
    expect(putWithin(100, path, FINISH)).toBe('kept');
    const before = readdirSync(path);
    expect(putWithin(2, path, large as Finish)).toBe(
      `the result of run 2026-11-23T03:30Z of shop/nightly-backup cannot be kept in \`${path}\`: EFBIG: file too large, ` +
        'write; make room there and let this user write',
    );
    expect(readdirSync(path)).toEqual(before);
    expect(allOf(new ResultSpool(path))).toEqual({ found: [FINISH], foreign: [] });
  });

  test('says that its folder cannot be made, and reads nothing', () => {
    const path = newFolder();
    mkdirSync(join(path, '..', '..'), { recursive: true });
    writeFileSync(join(path, '..'), 'a file');
    expect(() => new ResultSpool(path).put(FINISH)).toThrow(
      /^the result of run 2026-11-23T03:30Z of shop\/nightly-backup cannot be kept in `.+`: ENOTDIR: .+; make room there/,
    );
    expect(() => allOf(new ResultSpool(path))).toThrow(/ENOTDIR/);
    expect([existsSync(path), basename(path)]).toEqual([false, 'spool']);
  });
});
