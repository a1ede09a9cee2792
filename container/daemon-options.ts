import { ENVIRONMENT_OPTIONS } from '../shared/adapters/command-environment.ts';
import {
  type Invocation,
  isSet,
  OPTION,
  type OptionSpec,
  text,
  UsageError,
  whole,
} from '../shared/adapters/command-line.ts';
import { machineZone } from '../shared/adapters/host.ts';
import { type Read, readDuration, readQuantity } from '../shared/core/crontab/values.ts';
import { DEFAULT_RETENTION, type Retention, SHORTEST_RETENTION_MS } from '../shared/core/run/retention.ts';
import { nearestZone, zoneTable } from '../shared/core/schedule/zone-data.ts';

/** Free in IANA's list of ports, and next to what monitoring tools use. */
export const DEFAULT_HTTP = '127.0.0.1:9746';
/** With the grace of ten seconds this ends before Kubernetes' thirty. */
const DEFAULT_DRAIN = '15s';

export const DAEMON_OPTIONS = {
  zone: { ...OPTION.zone, help: `${OPTION.zone.help} (default: the machine's)` },
  store: OPTION.store,
  http: { type: 'string', value: 'HOST:PORT|off', help: `health and metrics (default: ${DEFAULT_HTTP})` },
  drain: {
    type: 'string',
    value: 'DURATION',
    help: `how long running commands may go on after a signal (default: ${DEFAULT_DRAIN})`,
  },
  'reboot-on': {
    type: 'string',
    value: 'boot|start',
    choices: ['boot', 'start'],
    help: '@reboot jobs run once a boot, or at each start (default: boot)',
  },
  'max-concurrent': {
    type: 'string',
    value: 'N',
    help: 'commands that may run at once; the others wait in order (default: no limit)',
  },
  'dry-run': {
    type: 'boolean',
    help: 'record what would start, and start nothing, in a store of its own',
  },
  'keep-history': {
    type: 'string',
    value: 'DURATION',
    help: 'how long successes and skips are kept, 7d at least (default: 30d)',
  },
  'keep-failures': {
    type: 'string',
    value: 'DURATION',
    help: 'how long all other runs are kept, 7d at least (default: 90d)',
  },
  'keep-logs': {
    type: 'string',
    value: 'DURATION',
    help: 'how long output in files is kept (default: 30d)',
  },
  'max-logs': {
    type: 'string',
    value: 'SIZE',
    help: 'most that all output in files takes together (default: 1Gi)',
  },
  name: {
    type: 'string',
    value: 'NAME',
    help: "name of the crontab in history and metrics (default: the file's)",
  },
  ...ENVIRONMENT_OPTIONS,
  system: OPTION.system,
  log: {
    type: 'string',
    value: 'auto|json|text',
    choices: ['auto', 'json', 'text'],
    help: 'JSON lines, or lines for people (default: auto, text on a terminal)',
  },
} as const satisfies Record<string, OptionSpec>;

export interface DaemonSettings {
  readonly zone: string;
  readonly isMachineZone: boolean;
  /** Undefined when there shall be no server. */
  readonly http: { readonly host: string; readonly port: number } | undefined;
  readonly drainMs: number;
  readonly rebootOn: 'boot' | 'start';
  /** Undefined for no limit. */
  readonly maxConcurrent: number | undefined;
  readonly isDryRun: boolean;
  readonly retention: Retention;
  /** Milliseconds and bytes. */
  readonly logBounds: { readonly age?: number; readonly totalBytes?: number };
}

/** @throws UsageError */
export function daemonSettings(invocation: Invocation): DaemonSettings {
  const zone = text(invocation, 'zone');
  if (zone !== undefined && zoneTable(zone) === undefined) {
    const near = nearestZone(zone);
    throw new UsageError(
      `\`${zone}\` is not a time zone${near === undefined ? ', such as Europe/Berlin or UTC' : `; did you mean \`${near}\`?`}`,
    );
  }
  const drain = text(invocation, 'drain') ?? DEFAULT_DRAIN;
  const drainMs = drain === '0s' ? { ok: true as const, value: 0 } : readDuration(drain);
  if (!drainMs.ok) throw new UsageError(`\`--drain\` takes ${drainMs.allowed} or 0s, got \`${drain}\``);
  const age = optionValue(invocation, 'keep-logs', readDuration);
  const totalBytes = optionValue(invocation, 'max-logs', readQuantity);
  return {
    zone: zone ?? machineZone(),
    isMachineZone: zone === undefined,
    http: httpAddress(text(invocation, 'http') ?? DEFAULT_HTTP),
    drainMs: drainMs.value,
    rebootOn: text(invocation, 'reboot-on') === 'start' ? 'start' : 'boot',
    maxConcurrent: isGiven(invocation, 'max-concurrent')
      ? whole(invocation, 'max-concurrent', { min: 1, max: 100_000, otherwise: 1 })
      : undefined,
    isDryRun: isSet(invocation, 'dry-run'),
    retention: {
      successMs: retentionOf(invocation, 'keep-history') ?? DEFAULT_RETENTION.successMs,
      failureMs: retentionOf(invocation, 'keep-failures') ?? DEFAULT_RETENTION.failureMs,
    },
    logBounds: {
      ...(age === undefined ? {} : { age }),
      ...(totalBytes === undefined ? {} : { totalBytes }),
    },
  };
}

function isGiven(invocation: Invocation, name: string): boolean {
  return text(invocation, name) !== undefined;
}

/** @throws UsageError */
function optionValue<T>(
  invocation: Invocation,
  name: string,
  read: (text: string) => Read<T>,
): T | undefined {
  const value = text(invocation, name);
  if (value === undefined) return undefined;
  const found = read(value);
  if (!found.ok) throw new UsageError(`\`--${name}\` takes ${found.allowed}, got \`${value}\``);
  return found.value;
}

function retentionOf(invocation: Invocation, name: string): number | undefined {
  const ms = optionValue(invocation, name, readDuration);
  if (ms !== undefined && ms < SHORTEST_RETENTION_MS) {
    throw new UsageError(
      `\`--${name}\` must be 7d at least, got \`${text(invocation, name)}\`: what a run's row says keeps it from being started again`,
    );
  }
  return ms;
}

/** @returns undefined for `off` @throws UsageError */
export function httpAddress(value: string): DaemonSettings['http'] {
  if (value === 'off') return undefined;
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new UsageError(
      `\`--http\` takes \`HOST:PORT\` (\`${DEFAULT_HTTP}\`, \`0.0.0.0:9746\`, \`[::1]:9746\`) or \`off\`, got \`${value}\``,
    );
  }
  return { host: (match[1] ?? match[2]) as string, port };
}
