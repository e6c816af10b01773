// Queue of pieces that the worker analyses.

import { decodeWhole } from "./audio/whole.js";

const CHUNK = 2 ** 18; // samples sent to the worker at a time
const NO_AUDIO = "This browser cannot decode the file.";
// Methods that handle the worker's messages, by kind.
const ANSWERS = { model: "loaded", steps: "steps", end: "end", level: "level", unreadable: "unreadable", error: "error" };

/** Analyses files one at a time, and a microphone in parallel. */
export class Analysis {
  /**
   * @param {object} events callbacks: `changed(piece)` after new steps or a change of state,
   *   `level(value)` with the microphone's level from 0 to 1, `failed(text)` if the worker is unusable.
   */
  constructor(events) {
    this.events = events;
    this.model = null;
    this.pieces = new Map(); // pieces known to the worker, by id
    this.waiting = [];
    this.active = null;
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this[ANSWERS[data.kind]](data);
    this.worker.onerror = () => events.failed("The page's audio engine failed to start. Reload the page.");
  }

  /** Load a network; resolves when the worker has loaded it. */
  load(address) {
    this.waiting = [];
    this.cancel(this.active);
    this.worker.postMessage({ kind: "load", address: new URL(address, document.baseURI).href });
    return new Promise((resolve, reject) => (this.loading = { resolve, reject }));
  }

  /** Queue a file for analysis; `atOnce` puts it before all other files. */
  analyse(piece, atOnce = false) {
    piece.restart(this.model);
    this.waiting = this.waiting.filter((other) => other !== piece);
    this.waiting[atOnce ? "unshift" : "push"](piece);
    if (atOnce && this.active) {
      const { active } = this;
      this.cancel(active);
      active.restart(this.model);
      this.waiting.splice(1, 0, active);
    }
    this.next();
  }

  /** Analyse the samples of a microphone, until `finish`. */
  listen(piece, { rate, port }) {
    piece.restart(this.model);
    piece.state = "listening";
    this.pieces.set(piece.id, piece);
    this.worker.postMessage({ kind: "begin", id: piece.id, rate, port }, [port]);
  }

  finish(piece) {
    this.worker.postMessage({ kind: "finish", id: piece.id });
  }

  /** Stop the analysis of a piece. */
  cancel(piece) {
    if (!piece) return;
    this.waiting = this.waiting.filter((other) => other !== piece);
    if (this.pieces.delete(piece.id)) this.worker.postMessage({ kind: "stop", id: piece.id });
    if (this.active === piece) this.active = null;
  }

  cancelAll() {
    this.waiting = [];
    for (const piece of this.pieces.values()) this.cancel(piece);
  }

  next() {
    if (this.active || !this.waiting.length || !this.model) return;
    const piece = this.waiting.shift();
    this.active = piece;
    piece.state = "analysing";
    this.pieces.set(piece.id, piece);
    this.worker.postMessage({ kind: "file", id: piece.id, file: piece.file });
    this.events.changed(piece);
  }

  // Messages from the worker.

  loaded(data) {
    this.model = data;
    this.loading.resolve(data);
    this.next();
  }

  steps(data) {
    const piece = this.pieces.get(data.id);
    if (!piece) return;
    piece.add(data);
    this.events.changed(piece);
  }

  end({ id, seconds }) {
    const piece = this.pieces.get(id);
    if (!piece) return;
    piece.analysed = seconds;
    piece.duration = seconds;
    this.close(piece, piece.steps ? "" : `too short: a step takes ${piece.model.stepSeconds.toFixed(2)} s.`);
  }

  level({ id, level }) {
    if (this.pieces.has(id)) this.events.level(level);
  }

  /** The worker cannot parse the file, so the browser decodes it as a whole. */
  async unreadable({ id }) {
    const piece = this.pieces.get(id);
    if (!piece) return;
    piece.restart(this.model);
    piece.state = "decoding";
    this.pieces.delete(id);
    this.pieces.set(piece.id, piece);
    this.events.changed(piece);
    const newId = piece.id;
    const clip = await decodeWhole(piece.file).catch(() => null);
    if (this.pieces.get(newId) !== piece) return;
    if (!clip) return this.close(piece, NO_AUDIO);
    piece.state = "analysing";
    piece.duration = clip.samples.length / clip.rate;
    this.worker.postMessage({ kind: "begin", id: newId, rate: clip.rate });
    for (let start = 0; start < clip.samples.length; start += CHUNK) {
      this.worker.postMessage({ kind: "samples", id: newId, samples: clip.samples.slice(start, start + CHUNK) });
    }
    this.finish(piece);
  }

  error({ id, text }) {
    if (id === undefined) return this.loading.reject(new Error(text));
    const piece = this.pieces.get(id);
    if (piece) this.close(piece, text);
  }

  close(piece, problem) {
    this.pieces.delete(piece.id);
    piece.problem = problem;
    piece.state = problem ? "failed" : "done";
    if (this.active === piece) this.active = null;
    this.events.changed(piece);
    this.next();
  }
}
