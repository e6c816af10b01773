// Mel-spectrograms in dB, as in `songnet.features.mel` and `songnet.features.log_mel`.

import { PowerSpectrum } from "./fft.js";

// Conversion of power to dB for each kind of spectrogram.
const LEVELS = {
  mel: (power) => 10 * Math.log10(Math.max(power, 1e-10)),
  log_mel: (power) => 10 * Math.log10(power + 1e-4),
};

/** Computes the frames of a spectrogram as soon as their samples are complete. */
export class SpectrogramStream {
  /**
   * @param {object} config the spectrogram's configuration, as in a weights file.
   * @throws {Error} the kind of spectrogram or the frame length is not supported.
   */
  constructor(config) {
    if (!(config.kind in LEVELS)) {
      throw new Error(`This page cannot compute spectrograms of the kind ${config.kind}.`);
    }
    if (!Number.isInteger(Math.log2(config.n_fft))) {
      throw new Error(`This page needs an n_fft that is a power of two, not ${config.n_fft}.`);
    }
    this.config = config;
    this.level = LEVELS[config.kind];
    this.window = hann(config.n_fft);
    this.transform = new PowerSpectrum(config.n_fft);
    this.filters = melFilters(config);
    this.frame = new Float64Array(config.n_fft);
    this.power = new Float64Array(config.n_fft / 2 + 1);
    // Samples of unfinished frames; starts with silence.
    this.waiting = new Float32Array(config.n_fft / 2);
  }

  /**
   * @param {Float32Array} samples (n,), any n.
   * @returns {Float32Array[]} completed frames, each (bands,) in dB.
   */
  push(samples) {
    const { n_fft: size, hop_length: hop } = this.config;
    const waiting = new Float32Array(this.waiting.length + samples.length);
    waiting.set(this.waiting);
    waiting.set(samples, this.waiting.length);
    const frames = [];
    let at = 0;
    for (; at + size <= waiting.length; at += hop) frames.push(this.frameAt(waiting, at));
    this.waiting = waiting.slice(at);
    return frames;
  }

  /** Return the remaining frames at the end of the stream. */
  finish() {
    return this.push(new Float32Array(this.config.n_fft / 2));
  }

  frameAt(samples, at) {
    const { frame, window, power } = this;
    for (let i = 0; i < frame.length; i++) frame[i] = samples[at + i] * window[i];
    this.transform.transform(frame, power);
    return Float32Array.from(this.filters, ({ first, weights }) => {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += power[first + i] * weights[i];
      return this.level(sum);
    });
  }
}

/** Periodic Hann window. */
function hann(size) {
  return Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
}

/** Triangular filters of unit area on Slaney's mel scale, each with its first bin and weights. */
function melFilters({ sample_rate: rate, n_fft: size, n_mels: bands }) {
  const edges = melFrequencies(bands + 2, rate / 2);
  return Array.from({ length: bands }, (_, band) => {
    const [low, middle, high] = edges.slice(band, band + 3);
    const first = Math.max(0, Math.ceil((low * size) / rate));
    const last = Math.min(size / 2, Math.floor((high * size) / rate));
    const weights = Float32Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => {
      const frequency = ((first + i) * rate) / size;
      const height = Math.min((frequency - low) / (middle - low), (high - frequency) / (high - middle));
      return (Math.max(0, height) * 2) / (high - low);
    });
    return { first, weights };
  });
}

/** `count` frequencies equally spaced in mel from 0 to `top` Hz (M. Slaney, 1998). */
function melFrequencies(count, top) {
  const linear = 200 / 3;
  const step = Math.log(6.4) / 27;
  const knee = 1000 / linear;
  const end = knee + Math.log(top / 1000) / step;
  return Array.from({ length: count }, (_, i) => {
    const mel = (end * i) / (count - 1);
    return mel < knee ? mel * linear : 1000 * Math.exp(step * (mel - knee));
  });
}
