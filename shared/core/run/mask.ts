const MASK = '***';

/** Shorter values would blot out ordinary words. Characters. */
export const SHORTEST_SECRET = 8;

/** Replaces secret values by `***`: as they are, and as JSON writes them. */
export class Masker {
  readonly #forms: readonly string[];
  /** Characters of the longest form: a text cut anywhere keeps at most this less one of a secret. */
  readonly longest: number;

  constructor(secrets: readonly string[]) {
    const forms = secrets
      .filter((secret) => secret.length >= SHORTEST_SECRET)
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]);
    // The longest first: a secret that contains another one is blotted out whole.
    this.#forms = [...new Set(forms)].sort((a, b) => b.length - a.length);
    this.longest = this.#forms[0]?.length ?? 0;
  }

  mask(text: string): string {
    let masked = text;
    for (const form of this.#forms) masked = masked.replaceAll(form, MASK);
    return masked;
  }

  /** Masks a text that comes in pieces: what could be the beginning of a secret is held back until the next piece. */
  stream(emit: (text: string) => void): { write(text: string): void; end(): void } {
    let held = '';
    const keep = Math.max(0, this.longest - 1);
    return {
      write: (text) => {
        held = this.mask(held + text);
        const ready = held.length - keep;
        if (ready <= 0) return;
        emit(held.slice(0, ready));
        held = held.slice(ready);
      },
      end: () => {
        if (held !== '') emit(held);
        held = '';
      },
    };
  }
}
