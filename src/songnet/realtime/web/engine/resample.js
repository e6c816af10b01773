// Resampling with the frequency response of soxr's quality HQ, which is used in training.

// Kaiser-windowed sinc filters, fitted to soxr's responses. Frequencies and times are in units of the
// lower rate. Where soxr uses several stages, its first stage attenuates high frequencies slightly:
// droop[k] is the weight of the filter shifted by (k + 1) / 2 to both sides. At 44.1 and 48 kHz the
// responses agree to within 0.0001 dB.
const ONE_STAGE = { cutoff: 0.47844, beta: 13.0404, reach: 97.2512, droop: [] };
const SEVERAL = {
  cutoff: 0.47844,
  beta: 13.7154,
  reach: 102.2258,
  droop: [0.065869, -0.040592, 0.017308, -0.004631, 0.000595],
};
const RATIOS = [0.5, 2, 3]; // rate ratios for which soxr uses one stage
const MOST_PHASES = 1024; // largest number of filters; for other ratios they are interpolated

/** Resamples a stream of samples. */
export class Resampler {
  /** @param {number} from Hz, whole. @param {number} to Hz, whole. */
  constructor(from, to) {
    const divisor = greatestCommonDivisor(from, to);
    this.inputs = from / divisor; // input samples per ...
    this.outputs = to / divisor; // ... this many output samples
    this.phases = Math.min(this.outputs, MOST_PHASES);
    const filter = RATIOS.includes(from / to) ? ONE_STAGE : SEVERAL;
    const reach = filter.reach + filter.droop.length / 2;
    const half = Math.ceil((reach * from) / Math.min(from, to)) + 1;
    this.half = half + (half % 2); // even, so that the filter length is a multiple of four
    this.filters = Array.from({ length: this.phases + 1 }, (_, i) =>
      taps(filter, from, to, this.half, i / this.phases),
    );
    this.waiting = new Float32Array(this.half - 1); // starts with silence
    this.start = 1 - this.half; // index of waiting[0] in the stream
    this.received = this.given = 0;
  }

  /**
   * @param {Float32Array} samples (n,), any n.
   * @returns {Float32Array} resampled samples that are complete now.
   */
  push(samples) {
    this.received += samples.length;
    return this.convolve(samples, Infinity);
  }

  /** Return the remaining samples at the end of the stream. */
  finish() {
    const total = Math.floor((this.received * this.outputs) / this.inputs + 0.5);
    return this.convolve(new Float32Array(2 * this.half), total);
  }

  convolve(samples, end) {
    const { half, inputs, outputs, phases, filters, start } = this;
    const waiting = new Float32Array(this.waiting.length + samples.length);
    waiting.set(this.waiting);
    waiting.set(samples, this.waiting.length);
    // The last sample that the filter of output i needs is at floor(i * inputs / outputs) + half.
    const reached = start + waiting.length - half; // exclusive
    const until = Math.min(end, Math.ceil((reached * outputs) / inputs));
    const result = new Float32Array(Math.max(0, until - this.given));
    for (let i = 0; i < result.length; i++) {
      const position = (this.given + i) * inputs;
      const whole = Math.floor(position / outputs);
      const phase = ((position - whole * outputs) / outputs) * phases;
      const lower = Math.floor(phase);
      const at = whole + 1 - half - start;
      const value = dot(waiting, at, filters[lower]);
      const rest = phase - lower;
      result[i] = rest ? value + rest * (dot(waiting, at, filters[lower + 1]) - value) : value;
    }
    this.given += result.length;
    const next = Math.floor((this.given * inputs) / outputs) + 1 - half;
    const used = Math.min(Math.max(0, next - start), waiting.length);
    this.waiting = waiting.slice(used);
    this.start += used;
    return result;
  }
}

/** Filter for an output at a delay of `phase` input samples after the central input sample. */
function taps(filter, from, to, half, phase) {
  const low = Math.min(from, to);
  return Float32Array.from({ length: 2 * half }, (_, i) => {
    const time = ((i + 1 - half - phase) * low) / from;
    const middle = windowedSinc(filter, time);
    const drooped = filter.droop.reduce((sum, weight, k) => {
      const shift = (k + 1) / 2;
      const sides = windowedSinc(filter, time - shift) + windowedSinc(filter, time + shift);
      return sum + weight * (sides / 2 - middle);
    }, middle);
    return (drooped * low) / from;
  });
}

function windowedSinc({ cutoff, beta, reach }, time) {
  const inside = 1 - (time / reach) ** 2;
  if (inside <= 0) return 0;
  const angle = 2 * Math.PI * cutoff * time;
  const sinc = angle ? Math.sin(angle) / angle : 1;
  return (2 * cutoff * sinc * bessel(beta * Math.sqrt(inside))) / bessel(beta);
}

/** Modified Bessel function of the first kind, order 0. */
function bessel(x) {
  let sum = 1;
  for (let term = 1, k = 1; term > 1e-17 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

function dot(samples, at, filter) {
  // The view avoids bounds checks, and the four sums shorten the chain of dependent additions.
  const x = samples.subarray(at, at + filter.length);
  let a = 0, b = 0, c = 0, d = 0;
  for (let i = 0; i < filter.length; i += 4) {
    a += x[i] * filter[i];
    b += x[i + 1] * filter[i + 1];
    c += x[i + 2] * filter[i + 2];
    d += x[i + 3] * filter[i + 3];
  }
  return a + b + c + d;
}

function greatestCommonDivisor(a, b) {
  return b ? greatestCommonDivisor(b, a % b) : a;
}
