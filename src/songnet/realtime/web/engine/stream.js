// Streaming classification, as in `songnet.realtime.stream`.

import { CausalCRNN } from "./causal_crnn.js";
import { EncoderClassifier, MusiCNNTagger } from "./encoder_networks.js";
import { Resampler } from "./resample.js";
import { SpectrogramStream } from "./spectrogram.js";
import { readWeights } from "./weights.js";

const NETWORKS = { causal_crnn: CausalCRNN, encoder_classifier: EncoderClassifier, musicnn_tagger: MusiCNNTagger };
const LOUDEST = 2 ** 31; // samples with a larger magnitude are invalid
const SILENCE = 1e-4; // half the largest peak-to-peak range of silence
const BLOCK = 1024; // samples; silence is updated after each block

/** A streaming network, read from a weights file. */
export class Model {
  /**
   * @param {ArrayBuffer} file
   * @throws {Error} with a message for the user: the file is invalid or the network not supported.
   */
  constructor(file) {
    this.saved = readWeights(file);
    const { network, facts, genres } = this.saved;
    if (!(network in NETWORKS)) {
      throw new Error(`This page cannot run networks of the kind ${network}; it runs ${Object.keys(NETWORKS).join(", ")}.`);
    }
    if (!facts.spectrogram) {
      throw new Error("The network was trained on precomputed spectrograms or features, not on audio.");
    }
    this.genres = genres;
    this.spectrogram = facts.spectrogram;
    this.framesPerStep = this.network().framesPerStep; // fails here if the file is incomplete
    this.stepSeconds = (this.framesPerStep * this.spectrogram.hop_length) / this.spectrogram.sample_rate;
    new SpectrogramStream(this.spectrogram); // fails here rather than at the first clip
  }

  /** Create a network in its initial state. */
  network() {
    const { network, config, tensors } = this.saved;
    return new NETWORKS[network](config, (name) => {
      if (!tensors.has(name)) throw new Error(`The model file lacks ${name}.`);
      return tensors.get(name);
    });
  }
}

/** Classifies one piece of music that arrives in chunks of any size. */
export class Stream {
  /** @param {Model} model @param {number} rate sample rate, Hz. */
  constructor(model, rate) {
    this.model = model;
    this.rate = rate;
    const wanted = model.spectrogram.sample_rate;
    this.resampler = rate === wanted ? null : new Resampler(rate, wanted);
    this.frames = new SpectrogramStream(model.spectrogram);
    this.network = model.network();
    this.waiting = []; // frames of an unfinished step
    this.pending = []; // frames of steps whose outputs wait for lookahead
    this.steps = 0;
    this.low = Infinity;
    this.high = -Infinity;
  }

  /** Whether all music so far is silence. */
  get silent() {
    return this.high - this.low <= 2 * SILENCE;
  }

  /**
   * Process more samples; invalid ones are set to 0.
   *
   * @param {Float32Array} samples (n,), mono.
   * @returns {object[]} completed steps: `seconds` at the end of the step, `step` and `clip`
   *   probabilities, `frames` in dB, and `silent` (whether all music so far is silence).
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

  /** End the music and return the remaining steps. */
  finish() {
    const rest = this.resampler ? this.resampler.finish() : new Float32Array(0);
    const steps = [...this.stepsOf(this.frames.push(rest)), ...this.stepsOf(this.frames.finish())];
    return [...steps, ...this.described(this.network.finish())];
  }

  stepsOf(frames) {
    this.waiting.push(...frames);
    const size = this.model.framesPerStep;
    const found = [];
    while (this.waiting.length >= size) {
      const whole = this.waiting.splice(0, size);
      this.pending.push(...whole);
      found.push(...this.described(this.network.push(whole.map((frame) => frame.map(toHalfPrecision)))));
    }
    return found;
  }

  /** Add times and frames to the outputs of the network. */
  described(outputs) {
    return outputs.map((probabilities) => {
      this.steps++;
      return {
        seconds: this.steps * this.model.stepSeconds,
        ...probabilities,
        frames: this.pending.splice(0, this.model.framesPerStep),
        silent: this.silent,
      };
    });
  }
}

const number = new Float32Array(1);
const bits = new Uint32Array(number.buffer);

/** Round to float16 precision, in which spectrograms are stored for training. */
function toHalfPrecision(value) {
  number[0] = value;
  bits[0] += 0xfff + ((bits[0] >> 13) & 1); // to the nearest, ties to even
  bits[0] &= 0xffffe000;
  return number[0];
}
