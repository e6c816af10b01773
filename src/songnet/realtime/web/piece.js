// One piece of music: the predictions of its steps, its spectrogram and its summary.

const SUMMARY_SECONDS = 5; // smoothing window of the summary's timeline
const SHORTEST_TURN_SECONDS = 1; // times are whole seconds
const MOST_COLUMNS = 8192; // columns of a spectrogram; longer ones are downsampled
const LIVE_FRAMES = 4096; // last frames of a microphone, kept at full resolution

let serial = 0;

/** A growing array of rows of equal width. */
class Rows {
  constructor(Type, width) {
    this.width = width;
    this.count = 0;
    this.data = new Type(64 * width);
  }

  push(values) {
    const needed = this.count * this.width + values.length;
    if (needed > this.data.length) {
      const larger = new this.data.constructor(Math.max(needed, 2 * this.data.length));
      larger.set(this.data.subarray(0, this.count * this.width));
      this.data = larger;
    }
    this.data.set(values, this.count * this.width);
    this.count += values.length / this.width;
  }

  row(i) {
    return this.data.subarray(i * this.width, (i + 1) * this.width);
  }
}

export class Piece {
  /** @param {{title: string, credit?: string, file?: Blob, live?: boolean}} about */
  constructor({ title, credit = "", file = null, live = false }) {
    Object.assign(this, { title, credit, file, live });
    this.duration = null; // seconds, when known
    this.restart(null);
  }

  /** Forget all steps. @param {object} model the worker's facts about the network. */
  restart(model) {
    this.id = ++serial; // a new id, so that answers to earlier requests are ignored
    this.model = model;
    this.state = "waiting"; // later decoding, analysing, listening, done or failed
    this.problem = "";
    this.analysed = this.share = 0; // seconds, and fraction of the file
    const genres = model?.genres.length ?? 1;
    this.nows = new Rows(Float32Array, genres);
    this.overalls = new Rows(Float32Array, genres);
    this.silences = new Rows(Uint8Array, 1);
    this.sums = new Rows(Float64Array, genres);
    this.sums.push(new Float64Array(genres)); // cumulative sums, to average over windows
    this.columns = new Rows(Uint8Array, model?.bands ?? 1);
    this.framesPerColumn = 1;
    this.frames = 0;
    this.recent = []; // the last frames
  }

  /** Add steps from the worker. */
  add({ now, overall, silent, levels, seconds, share }) {
    this.analysed = seconds;
    this.share = share ?? this.share;
    this.nows.push(now);
    this.overalls.push(overall);
    this.silences.push(silent);
    while (this.sums.count <= this.nows.count) {
      const step = this.sums.count - 1;
      const added = this.nows.row(step);
      this.sums.push(Float64Array.from(this.sums.row(step), (sum, g) => sum + added[g]));
    }
    const { bands } = this.model;
    for (let at = 0; at < levels.length; at += bands) this.addFrame(levels.subarray(at, at + bands));
  }

  addFrame(levels) {
    if (this.live && this.recent.push(levels.slice()) > LIVE_FRAMES) this.recent.shift();
    if (this.frames++ % this.framesPerColumn) return;
    this.columns.push(levels);
    if (this.columns.count < MOST_COLUMNS) return;
    for (let i = 0; 2 * i < MOST_COLUMNS; i++) this.columns.row(i).set(this.columns.row(2 * i));
    this.columns.count = MOST_COLUMNS / 2;
    this.framesPerColumn *= 2;
  }

  /** Number of steps. */
  get steps() {
    return this.nows.count;
  }

  /** Length of the piece in seconds, estimated if unknown. */
  get seconds() {
    if (this.duration) return this.duration;
    return this.share > 0.02 ? this.analysed / this.share : this.analysed;
  }

  /** Index of the step at a time, or null if it is not analysed yet. */
  stepAt(seconds) {
    const step = Math.floor(seconds / this.model.stepSeconds);
    if (step < this.steps) return step;
    return this.state === "done" && this.steps ? this.steps - 1 : null;
  }

  /** Step probabilities, averaged over the last `window` steps. */
  now(step, window) {
    return this.mean(Math.max(0, step + 1 - window), step + 1);
  }

  mean(start, end) {
    const before = this.sums.row(start);
    return Float32Array.from(this.sums.row(end), (sum, g) => (sum - before[g]) / (end - start));
  }

  /** Clip probabilities: of all music up to a step. */
  overall(step) {
    return this.overalls.row(step);
  }

  /** Whether all music up to a step is silence, so that probabilities are meaningless. */
  silent(step) {
    return Boolean(this.silences.data[step]);
  }

  /** Genres of the whole piece, most probable first, or null if it is silent. */
  result() {
    const last = this.steps - 1;
    return last < 0 || this.silent(last) ? null : ranked(this.overall(last), this.model.genres);
  }

  /** Changes of the predicted genre. @returns {{seconds: number, genre: string}[]} */
  turns() {
    const { stepSeconds, genres } = this.model;
    const window = Math.max(1, Math.round(SUMMARY_SECONDS / stepSeconds));
    const runs = []; // of steps with the same genre
    for (let i = 0; i < this.steps; i++) {
      const start = Math.max(0, i - (window >> 1));
      const end = Math.min(this.steps, i + ((window - 1) >> 1) + 1);
      const [{ genre }] = ranked(this.mean(start, end), genres);
      if (genre === runs.at(-1)?.genre) runs.at(-1).steps++;
      else runs.push({ genre, first: i, steps: 1 });
    }
    const long = runs.filter(({ steps }) => steps * stepSeconds >= SHORTEST_TURN_SECONDS);
    const found = [];
    for (const { genre, first } of long.length ? long : runs.slice(0, 1)) {
      // The first turn also covers shorter ones before it.
      if (genre !== found.at(-1)?.genre) found.push({ seconds: found.length ? first * stepSeconds : 0, genre });
    }
    return found;
  }

  /** All steps as CSV: the end of the step in seconds, then probabilities. */
  csv() {
    const { genres, stepSeconds } = this.model;
    const names = ["now", "overall"].flatMap((kind) => genres.map((genre) => `${kind} ${genre}`));
    const quoted = names.map((name) => `"${name.replaceAll('"', '""')}"`);
    const rows = Array.from({ length: this.steps }, (_, i) => {
      const values = [...this.nows.row(i), ...this.overall(i)].map((p) => (this.silent(i) ? "" : p.toFixed(5)));
      return [((i + 1) * stepSeconds).toFixed(3), ...values].join(",");
    });
    return [["seconds", ...quoted].join(","), ...rows, ""].join("\n");
  }
}

/** Sort genres by probability, highest first. */
export function ranked(probabilities, genres) {
  return genres
    .map((genre, g) => ({ genre, probability: probabilities[g] }))
    .sort((a, b) => b.probability - a.probability);
}

/** Format a time as 4:07 or 1:02:03. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Format a probability as 83 %, with a non-breaking space. */
export function percent(probability) {
  return `${Math.round(100 * probability)}\u00a0%`;
}
