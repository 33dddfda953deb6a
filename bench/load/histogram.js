/** Steps per power of two: the error is below 1 %. */
const steps = 128;

/** Counts times in µs, up to half an hour. Adding one allocates nothing. */
export class Histogram {
  #counts = new Uint32Array(steps * 25);
  #total = 0;
  #max = 0;

  /** @param {number} value in µs */
  add(value) {
    const whole = value < 0 ? 0 : value > 0x7fffffff ? 0x7fffffff : value | 0;
    const shift = Math.max(0, 24 - Math.clz32(whole));
    this.#counts[shift * steps + (whole >> shift)]++;
    this.#total++;
    if (whole > this.#max) this.#max = whole;
  }

  reset() {
    this.#counts.fill(0);
    this.#total = 0;
    this.#max = 0;
  }

  get max() {
    return this.#max;
  }

  /**
   * The quantile of all values, in µs; NaN without values.
   * @param {number} share
   */
  quantile(share) {
    let left = Math.ceil(this.#total * share);
    for (let index = 0; index < this.#counts.length; index++) {
      left -= this.#counts[index] ?? 0;
      if (left <= 0 && this.#total > 0) return valueAt(index);
    }
    return NaN;
  }
}

/** @param {number} index */
function valueAt(index) {
  const shift = Math.max(0, Math.floor(index / steps) - 1);
  return (index - shift * steps) * 2 ** shift;
}
