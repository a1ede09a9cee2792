import fc from 'fast-check';

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

interface FieldShape {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
  /** Values that come more often than others. */
  readonly likely?: readonly number[];
}

function value({ min, max, likely = [] }: FieldShape): fc.Arbitrary<number> {
  return likely.length === 0
    ? fc.integer({ min, max })
    : fc.oneof(fc.integer({ min, max }), fc.constantFrom(...likely));
}

/** A value in one of its spellings: plain, with a leading zero, as a name. */
function written(shape: FieldShape, number: number): fc.Arbitrary<string> {
  const spellings = [String(number), String(number), String(number).padStart(2, '0')];
  const name = shape.names?.[number - shape.min];
  if (name !== undefined) spellings.push(name, name.toUpperCase());
  return fc.constantFrom(...spellings);
}

function range(shape: FieldShape): fc.Arbitrary<string> {
  return fc
    .tuple(value(shape), value(shape))
    .chain(([a, b]) =>
      fc.tuple(written(shape, Math.min(a, b)), written(shape, Math.max(a, b))).map((ends) => ends.join('-')),
    );
}

function item(shape: FieldShape): fc.Arbitrary<string> {
  const step = fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 15 }) },
    fc.constantFrom(31, 60, 99),
  );
  const single = value(shape).chain((number) => written(shape, number));
  return fc.oneof(
    { weight: 4, arbitrary: single },
    { weight: 2, arbitrary: range(shape) },
    { weight: 2, arbitrary: fc.tuple(range(shape), step).map((parts) => parts.join('/')) },
    { weight: 1, arbitrary: step.map((every) => `*/${every}`) },
    { weight: 1, arbitrary: fc.constant('*') },
  );
}

function field(shape: FieldShape, starWeight: number): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: starWeight, arbitrary: fc.constant('*') },
    { weight: 3, arbitrary: item(shape) },
    {
      weight: 2,
      arbitrary: fc.array(item(shape), { minLength: 2, maxLength: 4 }).map((all) => all.join(',')),
    },
  );
}

/** Five time fields in all their forms; hours at which clocks change and days that match are likely. */
export const scheduleTexts: fc.Arbitrary<string> = fc
  .tuple(
    field({ min: 0, max: 59, likely: [0, 1, 15, 30, 59] }, 1),
    field({ min: 0, max: 23, likely: [0, 1, 2, 3, 4, 23] }, 3),
    field({ min: 1, max: 31 }, 8),
    field({ min: 1, max: 12, names: MONTHS }, 12),
    field({ min: 0, max: 7, names: WEEKDAYS }, 8),
  )
  .map((fields) => fields.join(' '));
