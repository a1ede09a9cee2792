import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** DynamoDB Local of AWS, from Maven Central. It has a licence of its own: it is fetched, never kept with us. */
const VERSION = '2.6.1';
/** Of all its files: `sha256sum * | sha256sum` in the order of their names. */
const FILES_SHA256 = '1bed966b5eb504444fb6bc9a3d35bf415cde726bc89a0a6505570d985ebed5c9';
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const POM = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>kuber-cron</groupId><artifactId>dynamodb-local</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>com.amazonaws</groupId><artifactId>DynamoDBLocal</artifactId><version>${VERSION}</version>
  </dependency></dependencies>
</project>
`;

/** Why a tool is not there, and what brings it. */
export class MissingTool extends Error {
  override readonly name = 'MissingTool';
}

/**
 * A folder of the cache that all clones share. It is there only when it is whole.
 *
 * @param make fills an empty folder with what `<name>` shall be
 */
export function cached(name: string, make: (folder: string) => void): string {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kuber-cron', name);
  if (existsSync(folder)) return folder;
  const work = `${folder}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    make(work);
    // Another process may have been faster: what it brought is the same.
    if (!existsSync(folder)) renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

export function has(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function hashOf(folder: string): string {
  const lines = readdirSync(folder)
    .sort()
    .map((name) => {
      const hash = createHash('sha256').update(readFileSync(join(folder, name)));
      return `${hash.digest('hex')}  ${name}\n`;
    });
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/**
 * The folder with DynamoDB Local; fetched once for all clones.
 *
 * @throws MissingTool without Java or Maven, or without a network
 */
export function dynamoDbLocal(): string {
  if (!has('java', '-version')) throw new MissingTool('there is no Java: install a JRE from 17 on');
  const folder = cached(`dynamodb-local-${VERSION}`, fetchDynamoDbLocal);
  const hash = hashOf(folder);
  if (hash !== FILES_SHA256) {
    throw new Error(
      `${folder} is not what it was: its files have ${hash}; delete it, and it is fetched again`,
    );
  }
  return folder;
}

function fetchDynamoDbLocal(folder: string): void {
  if (!has('mvn', '--version'))
    throw new MissingTool('there is no Maven, which brings DynamoDB Local: install it');
  const pom = join(folder, 'pom.xml');
  writeFileSync(pom, POM);
  try {
    const options = [`-DoutputDirectory=${folder}`, '-DincludeScope=runtime'];
    execFileSync('mvn', ['-B', '-q', COPY_DEPENDENCIES, ...options], { cwd: folder, stdio: 'pipe' });
  } catch (error) {
    throw new MissingTool(`Maven could not fetch DynamoDB Local: ${String(error)}`, { cause: error });
  }
  rmSync(pom);
}

/** A DynamoDB Local of our own, in memory. It listens on all interfaces: it has no option for that. */
export interface Server {
  readonly endpoint: string;
  readonly process: ChildProcess;
}

/** @throws MissingTool as `dynamoDbLocal` does */
export async function startDynamoDbLocal(): Promise<Server> {
  const folder = dynamoDbLocal();
  const port = await freePort();
  const main = 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner';
  const child = spawn(
    'java',
    [
      ...['-Xmx512m', `-Dsqlite4java.library.path=${folder}`, `-Djava.library.path=${folder}`],
      ...[
        '-cp',
        join(folder, '*'),
        main,
        '-inMemory',
        '-sharedDb',
        '-disableTelemetry',
        '-port',
        String(port),
      ],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr?.on('data', (data: Buffer) => {
    said = `${said}${data}`.slice(-2000);
  });
  const endpoint = `http://127.0.0.1:${port}`;
  while (child.exitCode === null && child.signalCode === null) {
    // A request without a signature is answered with 400: it listens.
    if (await fetch(endpoint, { method: 'POST' }).then(Boolean, () => false))
      return { endpoint, process: child };
    await sleep(50);
  }
  throw new Error(`DynamoDB Local did not start: ${said}`);
}

export async function stop({ process: child }: Server): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

/** A port of loopback that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
