// Streaming layers of networks, with weights in torch's layout.

const EPSILON = 1e-5; // of batch normalisation

/** An affine map from `columns` to `rows` values. */
export class Linear {
  constructor(weights, bias) {
    this.rows = bias.length;
    this.columns = weights.length / bias.length;
    this.weights = weights;
    this.bias = bias;
  }

  /** @param {Float32Array} x (columns,). @param {Float32Array} out (rows,), written to. */
  apply(x, out) {
    const { rows, columns, weights, bias } = this;
    let row = 0;
    // Four rows at a time, so that each input value is read once for all of them.
    for (; row + 4 <= rows; row += 4) {
      let a = bias[row], b = bias[row + 1], c = bias[row + 2], d = bias[row + 3];
      let at = row * columns;
      for (let i = 0; i < columns; i++, at++) {
        const value = x[i];
        a += value * weights[at];
        b += value * weights[at + columns];
        c += value * weights[at + 2 * columns];
        d += value * weights[at + 3 * columns];
      }
      out[row] = a;
      out[row + 1] = b;
      out[row + 2] = c;
      out[row + 3] = d;
    }
    for (; row < rows; row++) {
      let sum = bias[row];
      for (let i = 0, at = row * columns; i < columns; i++, at++) sum += x[i] * weights[at];
      out[row] = sum;
    }
    return out;
  }
}

/**
 * Causal convolution over (frequency, time), batch normalisation, ReLU and max pooling.
 * It keeps the input columns that the next step needs.
 */
export class CausalBlock {
  /**
   * @param {object} sizes inputs (channels), bands and columns of a step's input; kernel, stride and
   *   pool, each [frequency, time].
   * @param {Float32Array} weights (outputs, inputs, ...kernel), without bias.
   * @param {object} norm weight, bias, mean and variance of batch normalisation, each (outputs,).
   */
  constructor(sizes, weights, norm) {
    const { inputs, bands, columns, kernel, stride, pool } = sizes;
    Object.assign(this, sizes);
    this.convolution = folded(weights, norm);
    this.margin = kernel[0] >> 1; // zero padding in frequency, bands per side
    this.past = kernel[1] - stride[1]; // columns kept from the previous step
    this.width = this.past + columns;
    this.height = bands + 2 * this.margin;
    this.input = new Float32Array(inputs * this.height * this.width);
    this.patch = new Float32Array(inputs * kernel[0] * kernel[1]);
    this.outputs = norm.bias.length;
    this.positions = [Math.floor((bands - 1) / stride[0]) + 1, columns / stride[1]];
    this.found = new Float32Array(this.positions[0] * this.positions[1] * this.outputs);
    this.row = new Float32Array(this.outputs);
    this.bandsOut = Math.floor(this.positions[0] / pool[0]);
    this.columnsOut = Math.floor(this.positions[1] / pool[1]);
    this.result = new Float32Array(this.outputs * this.bandsOut * this.columnsOut);
  }

  /** @param {Float32Array} x (inputs, bands, columns). @returns (outputs, bandsOut, columnsOut). */
  push(x) {
    this.take(x);
    const [rows, columns] = this.positions;
    for (let band = 0; band < rows; band++) {
      for (let column = 0; column < columns; column++) {
        this.gather(band * this.stride[0], column * this.stride[1]);
        this.convolution.apply(this.patch, this.row);
        this.found.set(this.row, (band * columns + column) * this.outputs);
      }
    }
    return this.pooled();
  }

  /** Append a step's input to the columns of the previous step. */
  take(x) {
    const { input, inputs, bands, columns, width, height, margin, past } = this;
    for (let channel = 0; channel < inputs; channel++) {
      for (let band = 0; band < bands; band++) {
        const row = (channel * height + margin + band) * width;
        const from = (channel * bands + band) * columns;
        for (let i = 0; i < past; i++) input[row + i] = input[row + columns + i];
        for (let i = 0; i < columns; i++) input[row + past + i] = x[from + i];
      }
    }
  }

  /** Copy the patch under the kernel. */
  gather(band, column) {
    const { input, patch, inputs, height, width, kernel: [high, wide] } = this;
    let at = 0;
    for (let channel = 0; channel < inputs; channel++) {
      for (let i = 0; i < high; i++) {
        const from = (channel * height + band + i) * width + column;
        for (let j = 0; j < wide; j++) patch[at++] = input[from + j];
      }
    }
  }

  pooled() {
    const { found, result, outputs, bandsOut, columnsOut, positions, pool } = this;
    result.fill(0); // ReLU
    for (let band = 0; band < bandsOut * pool[0]; band++) {
      for (let column = 0; column < columnsOut * pool[1]; column++) {
        const from = (band * positions[1] + column) * outputs;
        const to = Math.floor(band / pool[0]) * columnsOut + Math.floor(column / pool[1]);
        for (let channel = 0; channel < outputs; channel++) {
          const at = channel * bandsOut * columnsOut + to;
          if (found[from + channel] > result[at]) result[at] = found[from + channel];
        }
      }
    }
    return result;
  }
}

/** Fold batch normalisation into the convolution before it, as one affine map. */
function folded(weights, { weight, bias, mean, variance }) {
  const scale = weight.map((value, i) => value / Math.sqrt(variance[i] + EPSILON));
  const size = weights.length / scale.length;
  return new Linear(
    weights.map((value, i) => value * scale[Math.floor(i / size)]),
    bias.map((value, i) => value - mean[i] * scale[i]),
  );
}

/** Gated recurrent unit, as in torch. */
export class GRU {
  constructor(inputWeights, inputBias, hiddenWeights, hiddenBias) {
    this.input = new Linear(inputWeights, inputBias);
    this.hidden = new Linear(hiddenWeights, hiddenBias);
    this.fromInput = new Float32Array(inputBias.length);
    this.fromHidden = new Float32Array(inputBias.length);
    this.state = new Float32Array(inputBias.length / 3);
  }

  /** @returns {Float32Array} the state after this step; the next step overwrites it. */
  push(x) {
    const { state } = this;
    const size = state.length;
    const a = this.input.apply(x, this.fromInput);
    const b = this.hidden.apply(state, this.fromHidden);
    for (let i = 0; i < size; i++) {
      const reset = sigmoid(a[i] + b[i]);
      const update = sigmoid(a[size + i] + b[size + i]);
      const candidate = Math.tanh(a[2 * size + i] + reset * b[2 * size + i]);
      state[i] = (1 - update) * candidate + update * state[i];
    }
    return state;
  }
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

/** Set negative values to zero, in place. */
export function relu(x) {
  for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
  return x;
}

/** Compute probabilities from logits, in place. */
export function softmax(x) {
  const most = Math.max(...x);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] = Math.exp(x[i] - most);
  for (let i = 0; i < x.length; i++) x[i] /= sum;
  return x;
}
