// The causal C-RNN, as in `songnet.models.causal_crnn`.

import { CausalBlock, GRU, Linear, relu, softmax } from "./layers.js";

const RANGE = 80; // dynamic range below the running peak, dB
const QUIETEST = -40; // lower limit of the running peak, dB
const FALL = 1; // decay of the running peak, dB per second
const FIELDS = 3; // number of metadata fields
const MOST_COLUMNS = 4.4; // largest number of columns per step after the first block

/** The network with its streaming state. */
export class CausalCRNN {
  /**
   * @param {object} config the network's configuration.
   * @param {(name: string) => Float32Array} tensor the network's weights, by name.
   */
  constructor(config, tensor) {
    this.config = config;
    this.tensor = tensor;
    const { stride, pools } = reductions(config.step_seconds * config.frames_per_second);
    this.framesPerStep = stride * pools[0] * pools[1];
    this.blocks = this.makeBlocks(stride, pools);
    this.projection = this.linear("projection.0");
    this.recurrence = new GRU(
      ...["weight_ih", "bias_ih", "weight_hh", "bias_hh"].map((name) => this.tensor(`recurrence.${name}_l0`)),
    );
    this.attention = this.linear("attention");
    this.stepOutput = this.linear("step_output");
    this.clipOutput = this.linear("clip_output");
    this.metadata = config.metadata ? this.unknownMetadata() : new Float32Array(0);
    this.peak = 0; // dB above QUIETEST
    this.total = new Float64Array(config.hidden); // sum of states, weighted by attention
    this.weights = 0; // sum of attention weights
  }

  makeBlocks(stride, pools) {
    const { n_bands: bands, channels } = this.config;
    const plans = [
      { kernel: [5, stride + 2], stride: [4, stride], pool: [2, 1] },
      { kernel: [3, 3], stride: [1, 1], pool: [2, pools[0]] },
      { kernel: [3, 3], stride: [1, 1], pool: [2, pools[1]] },
    ];
    let input = { inputs: 1, bands, columns: this.framesPerStep };
    return plans.map((plan, i) => {
      const at = 4 * i; // convolution, batch normalisation, ReLU, pooling
      const names = { weight: "weight", bias: "bias", mean: "running_mean", variance: "running_var" };
      const norm = Object.entries(names).map(([name, of]) => [name, this.tensor(`convolutions.${at + 1}.${of}`)]);
      const weights = this.tensor(`convolutions.${at}.convolution.weight`);
      const block = new CausalBlock({ ...input, ...plan }, weights, Object.fromEntries(norm));
      input = { inputs: channels[i], bands: block.bandsOut, columns: block.columnsOut };
      return block;
    });
  }

  /**
   * Process one step.
   *
   * @param {Float32Array[]} frames frames of the step, each (bands,) in dB.
   * @returns {{step: Float32Array, clip: Float32Array}[]} probabilities, each (genres,).
   */
  push(frames) {
    let x = this.standardised(frames);
    for (const block of this.blocks) x = block.push(x);
    const { projection, recurrence, attention, config } = this;
    x = relu(projection.apply(x, new Float32Array(projection.rows)));
    const state = recurrence.push(x);
    const [score] = attention.apply(state, new Float32Array(1));
    const weight = Math.exp(Math.min(8, Math.max(-8, score)));
    this.weights += weight;
    const known = new Float32Array(config.hidden + this.metadata.length);
    known.set(this.metadata, config.hidden);
    for (let i = 0; i < config.hidden; i++) {
      this.total[i] += weight * state[i];
      known[i] = this.total[i] / this.weights;
    }
    const of = (layer, input) => softmax(layer.apply(input, new Float32Array(layer.rows)));
    return [{ step: of(this.stepOutput, state), clip: of(this.clipOutput, known) }];
  }

  /** Return the outputs that wait for more music. */
  finish() {
    return [];
  }

  /** Normalise levels to the running peak and standardise every band: (bands, frames). */
  standardised(frames) {
    const { n_bands: bands, peak_normalise: normalise, frames_per_second: rate } = this.config;
    const mean = this.tensor("mean");
    const std = this.tensor("std");
    const x = new Float32Array(bands * frames.length);
    frames.forEach((frame, t) => {
      if (normalise) this.peak = Math.max(this.peak - FALL / rate, Math.max(...frame) - QUIETEST, 0);
      for (let band = 0; band < bands; band++) {
        const level = normalise ? Math.max(frame[band] - QUIETEST - this.peak, -RANGE) : frame[band];
        x[band * frames.length + t] = (level - mean[band]) / std[band];
      }
    });
    return x;
  }

  /** Features of unknown metadata, since music in a browser has none. */
  unknownMetadata() {
    const layer = this.linear("metadata.layer.0");
    const unknown = Float32Array.from({ length: 2 * FIELDS }, (_, i) => (i < FIELDS ? 0 : 1));
    return relu(layer.apply(unknown, new Float32Array(layer.rows)));
  }

  linear(name) {
    return new Linear(this.tensor(`${name}.weight`), this.tensor(`${name}.bias`));
  }
}

/** Time stride of the first block and pooling of the others, as `_reductions` in Python. */
function reductions(frames) {
  const stride = Math.ceil(frames / MOST_COLUMNS);
  const halvings = Math.min(2, Math.max(0, Math.round(Math.log2(frames / stride))));
  return { stride, pools: [[1, 1], [2, 1], [2, 2]][halvings] };
}
