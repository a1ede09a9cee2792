import { ADAPTERS } from './adapters.ts';
import { DAEMON_MUTANTS } from './daemon.ts';
import { FUNCTIONS } from './functions.ts';
import { INFRA } from './infra.ts';
import { LEDGER } from './ledger.ts';
import type { Mutants } from './mutant.ts';
import { RUN_RULES } from './run-rules.ts';
import { SCHEDULE } from './schedule.ts';

export const TABLES: readonly Mutants[] = [
  SCHEDULE,
  RUN_RULES,
  DAEMON_MUTANTS,
  ADAPTERS,
  INFRA,
  FUNCTIONS,
  LEDGER,
];

export const ALL_MUTANTS: Mutants = Object.fromEntries(TABLES.flatMap((table) => Object.entries(table)));
