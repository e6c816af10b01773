// Power spectra of real signals.

/** FFT of `size` real samples, a power of two, by a complex FFT of half the size. */
export class PowerSpectrum {
  constructor(size) {
    const half = size / 2;
    this.half = half;
    this.real = new Float64Array(half);
    this.imaginary = new Float64Array(half);
    this.reversed = bitReversal(half);
    [this.cos, this.sin] = circle(half, half / 2); // twiddle factors
    [this.splitCos, this.splitSin] = circle(size, half + 1);
  }

  /**
   * @param {Float64Array} samples (size,), windowed.
   * @param {Float64Array} power (size / 2 + 1,), written to: squared magnitudes.
   */
  transform(samples, power) {
    const { half, real, imaginary, reversed, splitCos, splitSin } = this;
    for (let i = 0; i < half; i++) {
      const at = 2 * reversed[i];
      real[i] = samples[at];
      imaginary[i] = samples[at + 1];
    }
    this.butterflies();
    for (let k = 0; k <= half; k++) {
      const low = k === half ? 0 : k;
      const high = k === 0 ? 0 : half - k;
      // Spectra of the even and odd samples.
      const evenReal = (real[low] + real[high]) / 2;
      const evenImaginary = (imaginary[low] - imaginary[high]) / 2;
      const oddReal = (imaginary[low] + imaginary[high]) / 2;
      const oddImaginary = (real[high] - real[low]) / 2;
      const a = evenReal + splitCos[k] * oddReal + splitSin[k] * oddImaginary;
      const b = evenImaginary + splitCos[k] * oddImaginary - splitSin[k] * oddReal;
      power[k] = a * a + b * b;
    }
  }

  butterflies() {
    const { half, real, imaginary, cos, sin } = this;
    for (let reach = 1, stride = half / 2; reach < half; reach *= 2, stride /= 2) {
      for (let start = 0; start < half; start += 2 * reach) {
        for (let i = start, at = 0; i < start + reach; i++, at += stride) {
          const j = i + reach;
          const a = real[j] * cos[at] + imaginary[j] * sin[at];
          const b = imaginary[j] * cos[at] - real[j] * sin[at];
          real[j] = real[i] - a;
          imaginary[j] = imaginary[i] - b;
          real[i] += a;
          imaginary[i] += b;
        }
      }
    }
  }
}

/** Cosine and sine of the angles 2π i / size for i < count. */
function circle(size, count) {
  const angles = Float64Array.from({ length: count }, (_, i) => (2 * Math.PI * i) / size);
  return [angles.map(Math.cos), angles.map(Math.sin)];
}

function bitReversal(size) {
  const bits = Math.log2(size);
  return Uint32Array.from({ length: size }, (_, i) => {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit++) reversed |= ((i >> bit) & 1) << (bits - 1 - bit);
    return reversed;
  });
}
