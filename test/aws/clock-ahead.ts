/** Imported before a program: its clock is ahead by `KUBERCRON_TEST_CLOCK_AHEAD`, in milliseconds. */
const ahead = Number(process.env.KUBERCRON_TEST_CLOCK_AHEAD);
const RealDate = Date;

class DateAhead extends RealDate {
  constructor(...args: [] | [value: number | string | Date]) {
    if (args.length === 0) super(RealDate.now() + ahead);
    else super(...args);
  }

  static override now(): number {
    return RealDate.now() + ahead;
  }
}

globalThis.Date = DateAhead as DateConstructor;
