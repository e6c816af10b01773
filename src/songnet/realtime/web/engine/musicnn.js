// musicnn's feature maps as music arrives, as in `songnet.models.musicnn`.

import { convolutionKernel, OUTPUTS, POSITIONS } from "./kernel.js";
import { Linear, relu } from "./layers.js";

const BANDS = 96;
const FRONT = [[38, 7], [67, 7], [1, 128], [1, 64], [1, 32]]; // filters: bands and frames
const MIDDLE = 3; // layers of filters over 7 frames
const EPSILON = 1e-3; // of TensorFlow's batch normalisation
const CHUNK = 24; // frames processed at once

/** The network; its convolutions keep their input. */
export class MusiCNN {
  /** @param {(name: string) => Float32Array} tensor the weights, by name. */
  constructor(tensor) {
    this.input = affine(tensor, "input");
    const lookahead = Math.max(...FRONT.map(([, length]) => length >> 1));
    this.front = FRONT.map(([height, length], i) => {
      // All outputs wait for the longest filter, so that they belong to the same frames.
      const wait = lookahead - (length >> 1);
      return new Convolution({ width: BANDS, height, length, wait }, tensor, `front.${i}`);
    });
    let width = this.front.reduce((sum, { outputs }) => sum + outputs, 0);
    this.middle = Array.from({ length: MIDDLE }, (_, i) => {
      const sizes = { width, height: width, length: 7, isResidual: i > 0 };
      const layer = new Convolution(sizes, tensor, `middle.${i}`);
      width = layer.outputs;
      return layer;
    });
    this.allocate([...this.front, ...this.middle]);
    this.waiting = [[], [], [], []]; // outputs of the front and of each layer, frame by frame
    this.dense = linear(tensor, "dense");
    this.output = linear(tensor, "output");
    this.pooled = affine(tensor, "pooled");
    this.normalisation = affine(tensor, "normalisation");
  }

  /** Give all layers their parts of one memory, since a browser holds few memories. */
  allocate(layers) {
    const bytes = layers.reduce((sum, layer) => sum + layer.bytes, 0);
    let memory;
    try {
      memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 2 ** 16) });
      layers.reduce((at, layer) => (layer.allocate(memory, at), at + layer.bytes), 0);
    } catch {
      throw new Error("This browser cannot run musicnn: it lacks WebAssembly with SIMD, or memory.");
    }
  }

  /**
   * Process more frames.
   *
   * @param {Float32Array[]} frames (BANDS,) in dB.
   * @param {boolean} last whether the music ends after them.
   * @returns {Float32Array[]} the maps of each frame whose lookahead has arrived.
   */
  push(frames, last) {
    const { scale: [scale], shift: [shift] } = this.input;
    const levels = joined(frames.map((frame) => frame.map((level) => (level / 10 + 4) * scale + shift)));
    const parts = this.front.map((layer) => rowsOf(layer.push(levels, last), layer.outputs));
    let rows = parts[0].map((_, t) => joined(parts.map((part) => part[t])));
    this.waiting[0].push(...rows);
    this.middle.forEach((layer, i) => {
      rows = rowsOf(layer.push(joined(rows), last), layer.outputs);
      this.waiting[i + 1].push(...rows);
    });
    const complete = this.waiting.map((queue) => queue.splice(0, rows.length));
    return rows.map((_, t) => joined(complete.map((queue) => queue[t])));
  }

  /** Compute the probabilities of the tags from the maximum and mean of each map, interleaved. */
  tags(pooled) {
    const { dense, output } = this;
    const hidden = relu(dense.apply(applied(this.pooled, pooled), new Float32Array(dense.rows)));
    const logits = output.apply(applied(this.normalisation, hidden), new Float32Array(output.rows));
    return logits.map((logit) => 1 / (1 + Math.exp(-logit)));
  }
}

/**
 * Convolution over frequency and time, ReLU and batch normalisation, then the maximum over
 * frequency. Zeros before and after the music keep its length.
 */
class Convolution {
  /**
   * @param {object} sizes width: values per frame; height and length of the filters: values and
   *   frames; wait: frames that outputs wait for, in addition to those that they depend on;
   *   isResidual: whether the input is added to the output.
   */
  constructor({ width, height, length, wait = 0, isResidual = false }, tensor, name) {
    const bias = tensor(`${name}.convolution.bias`);
    Object.assign(this, { width, height, length, wait, isResidual, outputs: bias.length });
    this.norm = affine(tensor, `${name}.normalisation`);
    this.positions = width - height + 1; // of a filter over frequency
    this.overTime = this.positions === 1; // whether the kernel's positions are frames
    this.groups = Math.ceil(this.outputs / OUTPUTS);
    this.rows = length - 1 + wait + CHUNK; // of the input
    this.groupSize = OUTPUTS * (1 + length * height); // weights of a group
    this.filters = { weights: tensor(`${name}.convolution.weight`), bias };
    this.held = (length - 1) >> 1; // rows of the input so far
    this.extremes = new Float32Array(this.outputs);
  }

  /** Numbers of inputs, weights and results. The kernel may read past the last position. */
  get counts() {
    const { rows, width, groups, groupSize, positions } = this;
    const results = (Math.max(CHUNK, positions) + POSITIONS) * groups * OUTPUTS;
    return [(rows + POSITIONS) * width, groups * groupSize, results];
  }

  /** Memory that the layer needs. */
  get bytes() {
    return 4 * this.counts.reduce((sum, count) => sum + count);
  }

  /** Take the bytes from `at` on of a memory. */
  allocate(memory, at) {
    [this.input, this.weights, this.results] = this.counts.map((count) => {
      const part = new Float32Array(memory.buffer, at, count);
      at += part.byteLength;
      return part;
    });
    this.kernel = convolutionKernel(memory, 4 * (this.overTime ? this.width : 1));
    this.arrange(this.filters);
    delete this.filters;
  }

  /** Order weights (outputs, height, length) as the kernel reads them. */
  arrange({ weights, bias }) {
    const { height, length, outputs, groupSize } = this;
    for (let output = 0; output < outputs; output++) {
      let at = Math.floor(output / OUTPUTS) * groupSize + (output % OUTPUTS);
      this.weights[at] = bias[output];
      for (let frame = 0; frame < length; frame++) {
        for (let i = 0; i < height; i++) {
          this.weights[(at += OUTPUTS)] = weights[(output * height + i) * length + frame];
        }
      }
    }
  }

  /**
   * @param {Float32Array} x (frames, width).
   * @param {boolean} last whether the music ends after them.
   * @returns {Float32Array} (frames, outputs) of the frames whose lookahead has arrived.
   */
  push(x, last) {
    const { width } = this;
    const after = last ? (this.length >> 1) + this.wait : 0;
    const rows = joined([x, new Float32Array(after * width)]);
    const found = [];
    for (let at = 0; at < rows.length; at += CHUNK * width) {
      found.push(this.outputsOf(rows.subarray(at, at + CHUNK * width)));
    }
    return joined(found);
  }

  outputsOf(rows) {
    const { input, width, outputs, norm: { scale, shift } } = this;
    input.set(rows, this.held * width);
    this.held += rows.length / width;
    const ready = Math.max(0, this.held - (this.length - 1) - this.wait);
    const found = new Float32Array(ready * outputs);
    if (this.overTime) this.compute(0, ready);
    for (let frame = 0; frame < ready; frame++) {
      if (!this.overTime) this.compute(frame * width, this.positions);
      const of = this.overTime ? this.row(frame) : this.extremesOverFrequency();
      const centre = (frame + ((this.length - 1) >> 1)) * width;
      for (let i = 0; i < outputs; i++) {
        const value = Math.max(of[i], 0) * scale[i] + shift[i];
        found[frame * outputs + i] = this.isResidual ? value + input[centre + i] : value;
      }
    }
    input.copyWithin(0, ready * width, this.held * width);
    this.held -= ready;
    return found;
  }

  /** Convolve at the given number of positions from an input value on. */
  compute(first, positions) {
    const { kernel, groups, groupSize, height, length, width, overTime, input } = this;
    const stride = overTime ? width : 1;
    const [rows, segment] = overTime ? [1, length * width] : [length, height];
    const outStep = 4 * groups * OUTPUTS;
    for (let group = 0; group < groups; group++) {
      const weights = this.weights.byteOffset + 4 * group * groupSize;
      for (let at = 0; at < positions; at += POSITIONS) {
        const out = this.results.byteOffset + at * outStep + 4 * group * OUTPUTS;
        kernel(input.byteOffset + 4 * (first + at * stride), weights, out, rows, 4 * segment, 4 * (width - height), outStep);
      }
    }
  }

  row(i) {
    const size = this.groups * OUTPUTS;
    return this.results.subarray(i * size, (i + 1) * size);
  }

  /** Return the value of each output that is largest after normalisation, which may change signs. */
  extremesOverFrequency() {
    const { extremes, outputs, positions, results, norm: { scale } } = this;
    const size = this.groups * OUTPUTS;
    extremes.set(results.subarray(0, outputs));
    for (let position = 1; position < positions; position++) {
      for (let i = 0, at = position * size; i < outputs; i++, at++) {
        if (scale[i] > 0 ? results[at] > extremes[i] : results[at] < extremes[i]) extremes[i] = results[at];
      }
    }
    return extremes;
  }
}

/** Batch normalisation as a factor and a summand for each value. */
function affine(tensor, name) {
  const [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(
    (field) => tensor(`${name}.${field}`),
  );
  const scale = weight.map((value, i) => value / Math.sqrt(variance[i] + EPSILON));
  return { scale, shift: bias.map((value, i) => value - mean[i] * scale[i]) };
}

function applied({ scale, shift }, x) {
  return x.map((value, i) => value * scale[i] + shift[i]);
}

function linear(tensor, name) {
  return new Linear(tensor(`${name}.weight`), tensor(`${name}.bias`));
}

/** Concatenate arrays. */
function joined(parts) {
  const result = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (result.set(part, at), at + part.length), 0);
  return result;
}

function rowsOf(values, width) {
  return Array.from({ length: values.length / width }, (_, i) => values.subarray(i * width, (i + 1) * width));
}
