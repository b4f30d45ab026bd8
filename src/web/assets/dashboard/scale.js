// Scales whose marks are round numbers.

/** Steps of decimal units, such as calls and milliseconds; and of powers of two, such as bytes. */
const DECIMAL = [1, 2, 5, 10];
const BINARY = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/**
 * From nothing to at least `highest`, with at most `most` steps.
 *
 * @param {number} highest
 * @param {number} most
 * @param {"decimal" | "binary"} [kind]
 * @returns {{ top: number, ticks: number[] }}
 */
export function scale(highest, most, kind = "decimal") {
  if (!(highest > 0)) return { top: 1, ticks: [0, 1] };
  const [base, steps] = kind === "binary" ? [1024, BINARY] : [10, DECIMAL];
  const rough = highest / most;
  const unit = base ** Math.floor(Math.log(rough) / Math.log(base));
  const step = unit * (steps.find((one) => one * unit >= rough * (1 - 1e-9)) ?? base);
  const count = Math.max(1, Math.ceil(highest / step - 1e-9));
  // Whole multiples, lest sums of tenths show.
  const ticks = Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
  return { top: ticks[count], ticks };
}
