// Networks on musicnn, as in `songnet.models.encoder_networks`.

import { makeHead } from "./heads.js";
import { MusiCNN } from "./musicnn.js";

const STEP = 24; // frames
const WINDOW = 8; // steps that a step's own prediction covers
const LEAST_SHARE = 1e-4; // minimum share of a genre

/** Base class: means and maxima of musicnn's maps over steps. */
class EncoderNetwork {
  /** @param {(name: string) => Float32Array} tensor the weights, by name. */
  constructor(tensor) {
    this.framesPerStep = STEP;
    this.musicnn = new MusiCNN((name) => tensor(`encoder.network.${name}`));
    this.maps = []; // of the frames of an unfinished step
    this.window = []; // {mean, most} of the last steps
    this.steps = 0;
    this.sums = null; // of all steps
  }

  /**
   * Process one step.
   *
   * @param {Float32Array[]} frames frames of the step, each (bands,) in dB.
   * @returns {{step: Float32Array, clip: Float32Array}[]} probabilities, each (genres,), of the steps
   *   whose lookahead has arrived.
   */
  push(frames, last = false) {
    this.maps.push(...this.musicnn.push(frames, last));
    const found = [];
    while (this.maps.length >= STEP) found.push(this.outputs(summary(this.maps.splice(0, STEP))));
    return found;
  }

  /** End the music and return the outputs of the remaining steps. */
  finish() {
    return this.push([], true);
  }

  /** Return the mean over all steps, including this one. */
  overall(values) {
    this.sums ??= new Float64Array(values.length);
    this.steps++;
    return Float32Array.from(values, (value, i) => (this.sums[i] += value) / this.steps);
  }

  /** Return the probabilities after one more step. */
  outputs(step) {
    this.window.push(step);
    if (this.window.length > WINDOW) this.window.shift();
    return this.predict(step, mean(this.window.map((each) => each.mean)));
  }
}

/** A head on mean embeddings. */
export class EncoderClassifier extends EncoderNetwork {
  constructor(config, tensor) {
    if (config.encoder.kind !== "musicnn") {
      throw new Error(`This page cannot run encoders of the kind ${config.encoder.kind}.`);
    }
    super(tensor);
    this.head = makeHead(config.head, config.n_genres, (name) => tensor(`head.${name}`));
  }

  predict(step, latest) {
    return { step: this.head(latest), clip: this.head(this.overall(step.mean)) };
  }
}

/** Genres as groups of musicnn's tags. */
export class MusiCNNTagger extends EncoderNetwork {
  constructor(config, tensor) {
    super(tensor);
    this.groups = tensor("groups"); // (genres, tags)
  }

  predict(step, latest) {
    const most = maximum(this.window.map((each) => each.most));
    const interleaved = Float32Array.from({ length: 2 * latest.length }, (_, i) => (i % 2 ? latest : most)[i >> 1]);
    const tags = this.musicnn.tags(interleaved);
    return { step: this.genres(tags), clip: this.genres(this.overall(tags)) };
  }

  /** Compute the shares of genres, each that of its most likely tag. */
  genres(tags) {
    const { groups } = this;
    const shares = Float32Array.from({ length: groups.length / tags.length }, (_, genre) =>
      Math.max(LEAST_SHARE, ...tags.map((tag, i) => tag * groups[genre * tags.length + i])));
    const sum = shares.reduce((total, share) => total + share);
    return shares.map((share) => share / sum);
  }
}

/** Summarise the maps of a step's frames. */
function summary(maps) {
  return { mean: mean(maps), most: maximum(maps) };
}

function mean(rows) {
  return rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length);
}

function maximum(rows) {
  return rows[0].map((_, i) => rows.reduce((most, row) => Math.max(most, row[i]), -Infinity));
}
