// Classification of music as it plays, step by step as `songnet.realtime.stream` does it.

import { CausalCRNN } from "./causal_crnn.js";
import { Resampler } from "./resample.js";
import { SpectrogramStream } from "./spectrogram.js";
import { readWeights } from "./weights.js";

const NETWORKS = { causal_crnn: CausalCRNN };
const LOUDEST = 2 ** 31; // what is beyond is no sound
const SILENCE = 1e-4; // half the range of samples that are silence
const BLOCK = 1024; // samples; silence is decided after each block

/** A network that can classify music as it plays, read from a file of weights. */
export class Model {
  /**
   * @param {ArrayBuffer} file
   * @throws {Error} a sentence for the user: the file is wrong, or this page cannot run its network.
   */
  constructor(file) {
    this.saved = readWeights(file);
    const { network, facts, genres } = this.saved;
    if (!(network in NETWORKS)) {
      throw new Error(`This page cannot run networks of the kind ${network}; it runs ${Object.keys(NETWORKS).join(", ")}.`);
    }
    if (!facts.spectrogram) {
      throw new Error("The network was trained on precomputed spectrograms; it cannot classify audio.");
    }
    this.genres = genres;
    this.spectrogram = facts.spectrogram;
    const { framesPerStep } = this.network();
    this.framesPerStep = framesPerStep;
    this.stepSeconds = (framesPerStep * this.spectrogram.hop_length) / this.spectrogram.sample_rate;
    new SpectrogramStream(this.spectrogram); // fails now rather than at the first clip
  }

  /** A network that remembers nothing yet. */
  network() {
    const { network, config, tensors } = this.saved;
    return new NETWORKS[network](config, tensors);
  }
}

/** Classifies one piece of music that arrives in pieces of any size. */
export class Stream {
  /** @param {Model} model @param {number} rate of the music, Hz. */
  constructor(model, rate) {
    this.model = model;
    this.rate = rate;
    const wanted = model.spectrogram.sample_rate;
    this.resampler = rate === wanted ? null : new Resampler(rate, wanted);
    this.frames = new SpectrogramStream(model.spectrogram);
    this.network = model.network();
    this.waiting = []; // frames of an unfinished step
    this.steps = 0;
    this.low = Infinity;
    this.high = -Infinity;
  }

  /** Whether nothing was audible so far. */
  get silent() {
    return this.high - this.low <= 2 * SILENCE;
  }

  /**
   * Process more samples; those that are no sound count as 0.
   *
   * @param {Float32Array} samples (n,), mono.
   * @returns {object[]} the steps that they complete: `seconds` from the beginning to the end of the
   *   step, `step` and `clip` probabilities, `frames` in dB, and whether all was `silent` so far.
   */
  push(samples) {
    const steps = [];
    for (let start = 0; start < samples.length; start += BLOCK) {
      const block = samples.slice(start, start + BLOCK);
      for (let i = 0; i < block.length; i++) {
        if (!(Math.abs(block[i]) <= LOUDEST)) block[i] = 0;
        if (block[i] < this.low) this.low = block[i];
        if (block[i] > this.high) this.high = block[i];
      }
      steps.push(...this.stepsOf(this.frames.push(this.resampler ? this.resampler.push(block) : block)));
    }
    return steps;
  }

  /** End the music; the steps that only its end completes. */
  finish() {
    const rest = this.resampler ? this.resampler.finish() : new Float32Array(0);
    return [...this.stepsOf(this.frames.push(rest)), ...this.stepsOf(this.frames.finish())];
  }

  stepsOf(frames) {
    this.waiting.push(...frames);
    const size = this.model.framesPerStep;
    const found = [];
    while (this.waiting.length >= size) {
      const whole = this.waiting.splice(0, size);
      const probabilities = this.network.push(whole.map((frame) => frame.map(toHalfPrecision)));
      this.steps++;
      found.push({
        seconds: this.steps * this.model.stepSeconds,
        ...probabilities,
        frames: whole,
        silent: this.silent,
      });
    }
    return found;
  }
}

const number = new Float32Array(1);
const bits = new Uint32Array(number.buffer);

/** Round as float16 does, in which spectrograms are stored for training. */
function toHalfPrecision(value) {
  number[0] = value;
  bits[0] += 0xfff + ((bits[0] >> 13) & 1); // to the nearest, ties to even
  bits[0] &= 0xffffe000;
  return number[0];
}
