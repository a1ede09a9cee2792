import type { DiagnosticCode, DiagnosticSink } from '../diagnostic.ts';
import type { Span } from '../source.ts';
import type { Entry } from './entry.ts';

/** Tells of a finding about an entry, unless the entry allows it. */
export type Report = (code: DiagnosticCode, span: Span, message: string, help: string) => void;

export function reportOn({ allowed }: Entry, sink: DiagnosticSink): Report {
  return (code, span, message, help) => sink.add({ code, span, message, help }, allowed);
}
