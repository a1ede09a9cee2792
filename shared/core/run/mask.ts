const MASK = '***';

/** Shorter values would blot out ordinary words. Characters. */
export const SHORTEST_SECRET = 8;

/** A stretch that hides nothing new for so long is passed on. Characters. */
const MOST_HELD = 64 * 1024;

type Interval = [start: number, end: number];

/** Replaces secret values by `***`: as they are, and as JSON writes them. */
export class Masker {
  readonly #forms: readonly string[];
  /** Characters of the longest form: a text cut anywhere keeps at most this less one of a secret. */
  readonly longest: number;

  constructor(secrets: readonly string[]) {
    // A newline at the end belongs to the file that a secret came from, and a command most often drops it.
    const whole = secrets.flatMap((secret) => [secret, secret.trimEnd()]);
    const forms = whole.filter(isMaskable).flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]);
    this.#forms = [...new Set(forms)];
    this.longest = Math.max(0, ...this.#forms.map((form) => form.length));
  }

  mask(text: string): string {
    return replaced(text, this.#intervals(text));
  }

  /** Masks a text that comes in pieces: what could be the beginning of a secret is held back until the next piece. */
  stream(emit: (text: string) => void): { write(text: string): void; end(): void } {
    let held = '';
    return {
      write: (text) => {
        held += text;
        const intervals = this.#intervals(held);
        // Every secret that begins before this is here whole.
        let ready = this.#doubtfulFrom(held);
        const cut = intervals.find(([start, end]) => start < ready && end > ready);
        if (cut !== undefined) ready = held.length > MOST_HELD ? cut[1] : cut[0];
        if (ready === 0) return;
        emit(
          replaced(
            held.slice(0, ready),
            intervals.filter(([, end]) => end <= ready),
          ),
        );
        held = held.slice(ready);
      },
      end: () => {
        if (held !== '') emit(this.mask(held));
        held = '';
      },
    };
  }

  /** Where the end of a text begins that the next piece can make a secret; its length where none can. */
  #doubtfulFrom(text: string): number {
    const isBeginning = (at: number) =>
      this.#forms.some((form) => form[0] === text[at] && form.startsWith(text.slice(at)));
    let at = Math.max(0, text.length - Math.max(0, this.longest - 1));
    while (at < text.length && !isBeginning(at)) at++;
    return at;
  }

  /** Where secrets stand, in order; those that overlap are one. */
  #intervals(text: string): Interval[] {
    const found: Interval[] = [];
    for (const form of this.#forms) {
      for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) {
        found.push([at, at + form.length]);
      }
    }
    const joined: Interval[] = [];
    for (const [start, end] of found.sort((a, b) => a[0] - b[0])) {
      const last = joined.at(-1);
      if (last === undefined || start >= last[1]) joined.push([start, end]);
      else last[1] = Math.max(last[1], end);
    }
    return joined;
  }
}

/** Whether a secret is long enough to be hidden. */
export function isMaskable(secret: string): boolean {
  return secret.length >= SHORTEST_SECRET;
}

/** What to say about a secret that is too short for that. */
export function unmasked(name: string): string {
  return `the secret \`${name}\` has fewer than ${SHORTEST_SECRET} characters, so it is not masked in output`;
}

function replaced(text: string, intervals: readonly Interval[]): string {
  let masked = '';
  let at = 0;
  for (const [start, end] of intervals) {
    masked += text.slice(at, start) + MASK;
    at = end;
  }
  return masked + text.slice(at);
}
