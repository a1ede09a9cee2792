/** What every subject is given. */
export interface Bench {
  /** Fewer rounds: for a look, not for a page. */
  readonly isQuick: boolean;
  /** For files; removed at the end. */
  readonly folder: string;
  /** Says what is going on, and what is left out. */
  readonly say: (text: string) => void;
}
