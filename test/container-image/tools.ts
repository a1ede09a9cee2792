import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { cached, has, MissingTool } from '../aws/tools.ts';

export const ROOT = join(import.meta.dirname, '../..');
/** Of the images that this suite makes; short names such as `kuber-cron` mean `localhost/kuber-cron`. */
export const IMAGE = 'localhost/kuber-cron';
export const LAMBDA_IMAGE = 'localhost/kuber-cron-lambda';
/** Of containers: behind it come the process that made it, and a number. */
export const CONTAINER_PREFIX = 'kuber-cron-test';

const NODE_IMAGE = 'localhost/kuber-cron-test/node:24';
const BASE_IMAGE = 'localhost/kuber-cron-test/debian:bookworm';
const LAMBDA_CLIENT_IMAGE = 'localhost/kuber-cron-test/lambda-client';

/** Where containers are whose machine has no systemd, and root no right to raise limits: flags of podman. */
function engineFlags(): { readonly storage: readonly string[]; readonly podman: readonly string[] } {
  if (process.getuid?.() !== 0) return { storage: [], podman: [] };
  // A storage of our own: what the machine's users have stays as it is. Layers in it are what is built once.
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kuber-cron', 'containers');
  const storage = [
    '--root',
    join(folder, 'storage'),
    '--runroot',
    join(folder, 'run'),
    '--storage-driver',
    'overlay',
  ];
  mkdirSync(folder, { recursive: true });
  const podman = [
    ...storage,
    '--tmpdir',
    join(folder, 'libpod'),
    '--events-backend',
    'none',
    '--runtime',
    'runc',
  ];
  if (!existsSync('/run/systemd/system')) podman.push('--cgroup-manager', 'cgroupfs');
  return { storage, podman };
}

const FLAGS = engineFlags();

/** What a program left. */
export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function execute(program: string, args: readonly string[], cwd?: string): Promise<Done> {
  return new Promise((resolve) => {
    const options = { maxBuffer: 2 ** 26, ...(cwd === undefined ? {} : { cwd }) };
    execFile(program, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
      resolve({ code, stdout, stderr });
    });
  });
}

export function podman(...args: readonly string[]): Promise<Done> {
  return execute('podman', [...FLAGS.podman, ...args]);
}

/** Builds an image from a folder, without a daemon and without a namespace of its own. */
export function build(folder: string, args: readonly string[]): Promise<Done> {
  const options = ['--isolation', 'chroot', '--format', 'docker', '--layers', '--force-rm', '--pull-never'];
  return execute('buildah', [...FLAGS.storage, 'build', ...options, ...args, folder]);
}

function buildah(...args: readonly string[]): string {
  return execFileSync('buildah', [...FLAGS.storage, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

function isThere(image: string): boolean {
  return has('buildah', ...FLAGS.storage, 'inspect', '--type', 'image', image);
}

/**
 * The images that the Dockerfile begins with: the usual ones, where a registry can be reached, else a Debian that
 * debootstrap makes, and the same with the Node and the npm of this process.
 *
 * @throws MissingTool saying what could not be brought, and why
 */
export function baseImages(): { readonly node: string; readonly base: string } {
  for (const tool of ['buildah', 'podman'])
    if (!has(tool, '--version'))
      throw new MissingTool(`there is no ${tool}: install buildah, podman and runc`);
  const usual = {
    node: 'docker.io/library/node:24-bookworm-slim',
    base: 'docker.io/library/debian:bookworm-slim',
  };
  if (!isThere(BASE_IMAGE)) {
    if (
      Object.values(usual).every((image) => isThere(image) || has('buildah', ...FLAGS.storage, 'pull', image))
    )
      return usual;
    makeDebian();
  }
  if (!isThere(NODE_IMAGE)) makeNode();
  return { node: NODE_IMAGE, base: BASE_IMAGE };
}

/** As small as the image of Debian that is called slim. */
const LEFT_OUT = [
  'usr/share/doc',
  'usr/share/info',
  'usr/share/locale',
  'usr/share/man',
  'var/lib/apt/lists',
  'var/cache/apt',
];

function makeDebian(): void {
  if (process.getuid?.() !== 0 || !has('debootstrap', '--version'))
    throw new MissingTool(
      'no registry of images can be reached, and debootstrap, as root, is what makes one without',
    );
  const folder = cached('debian-bookworm-tini-1', (folder) => {
    const tree = join(folder, 'tree');
    execFileSync('debootstrap', ['--variant=minbase', '--include=tini', 'bookworm', tree], { stdio: 'pipe' });
    const empty = LEFT_OUT.map((name) => `find ${join(tree, name)} -mindepth 1 -delete`).join('; ');
    execFileSync('sh', [
      '-c',
      `${empty}; tar -C ${tree} -cf ${join(folder, 'debian.tar')} . && rm -rf ${tree}`,
    ]);
  });
  const container = buildah('from', 'scratch');
  buildah('add', '--quiet', container, join(folder, 'debian.tar'), '/');
  buildah(
    'config',
    '--cmd',
    '/bin/bash',
    '--env',
    `PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    container,
  );
  buildah('commit', '--quiet', '--rm', container, BASE_IMAGE);
}

function makeNode(): void {
  const npm = process.env.npm_execpath;
  if (npm === undefined)
    throw new MissingTool('npm does not say where it is: start this suite by `npm run test:container`');
  const container = buildah('from', BASE_IMAGE);
  buildah('copy', '--quiet', container, process.execPath, '/usr/local/bin/node');
  buildah('copy', '--quiet', container, join(npm, '../..'), '/usr/local/lib/node_modules/npm');
  buildah(
    'run',
    '--isolation',
    'chroot',
    container,
    '--',
    'ln',
    '-s',
    '../lib/node_modules/npm/bin/npm-cli.js',
    '/usr/local/bin/npm',
  );
  // Behind a proxy that signs with a certificate of its own, only who has it reaches the registry of npm.
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  if (certificates !== undefined) {
    buildah('copy', '--quiet', container, certificates, '/etc/ssl/certs/extra.pem');
    buildah('config', '--env', 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/extra.pem', container);
  }
  buildah('commit', '--quiet', '--rm', container, NODE_IMAGE);
}

/**
 * An image with the client of Lambda's runtime, so that the Dockerfile need not compile it again.
 *
 * @param client its module, with the part in C++ beside it
 */
export function lambdaClientImage(node: string, client: string): string {
  const image = `${LAMBDA_CLIENT_IMAGE}:${basename(dirname(client)).toLowerCase()}`;
  if (isThere(image)) return image;
  const container = buildah('from', '--pull-never', node);
  buildah('copy', '--quiet', container, dirname(client), '/opt/lambda');
  buildah('commit', '--quiet', '--rm', container, image);
  return image;
}

/** Ends containers of suites that were killed. */
export async function removeLeftovers(): Promise<void> {
  const { stdout } = await podman(
    'ps',
    '--all',
    '--format',
    '{{.Names}}',
    '--filter',
    `name=^${CONTAINER_PREFIX}-`,
  );
  for (const name of stdout.split('\n')) {
    const pid = new RegExp(`^${CONTAINER_PREFIX}-(\\d+)-\\d+$`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      await podman('rm', '--force', '--volumes', '--time', '0', name);
  }
}

/** Bytes of an image's layers, unpacked. */
export function sizeOf(image: string): number {
  const out = execFileSync('podman', [...FLAGS.podman, 'image', 'inspect', '--format', '{{.Size}}', image]);
  return Number(out.toString().trim());
}
