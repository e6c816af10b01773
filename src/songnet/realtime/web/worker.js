// Worker for the time-consuming tasks: decoding and classification.
//
// The page sends messages {kind, id, ...}. The worker answers with messages of kind "model", "steps",
// "end", "level", "unreadable" (the page then decodes the file itself) or "error", with the same id.

import { decode } from "./audio/decode.js";
import { Model, Stream } from "./engine/stream.js";

const LOWEST = -60, HIGHEST = 45; // dB, range of the displayed spectrogram
const PAUSE = 100; // ms between messages to the page, which redraws after each one

let model = null;
const streams = new Map(); // pieces with samples from the page or the microphone, by id
const stopped = new Set(); // ids of cancelled pieces

const TASKS = { load, file: analyse, begin, samples, finish, stop: ({ id }) => stop(id) };

self.onmessage = async ({ data }) => {
  try {
    await TASKS[data.kind](data);
  } catch (error) {
    postMessage({ kind: "error", id: data.id, text: error.message });
  }
};

/** Load a network. */
async function load({ address }) {
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok) throw new Error("The network cannot be downloaded. Is this device offline?");
  model = new Model(await answer.arrayBuffer());
  const { genres, framesPerStep, stepSeconds, spectrogram } = model;
  postMessage({ kind: "model", address, genres, framesPerStep, stepSeconds, bands: spectrogram.n_mels });
}

/** Decode a file and classify it. */
async function analyse({ id, file }) {
  const parts = decode(file);
  const post = poster(id);
  let stream = null;
  let seconds = 0;
  for (;;) {
    let part;
    try {
      part = await parts.next();
      if (part.value && stream && part.value.rate !== stream.rate) throw new Error("its sample rate changes");
    } catch {
      return stopped.delete(id) || postMessage({ kind: "unreadable", id });
    }
    if (stopped.delete(id)) return void parts.return();
    if (part.done) break;
    const { samples, rate, share } = part.value;
    stream ??= new Stream(model, rate);
    seconds += samples.length / rate;
    post(stream.push(samples), { seconds, share });
  }
  if (!stream) return postMessage({ kind: "unreadable", id });
  post(stream.finish(), { seconds, share: 1 }, true);
  postMessage({ kind: "end", id, seconds });
}

/** Start a piece whose samples come from the page or, if there is a port, from the microphone. */
function begin({ id, rate, port }) {
  const post = poster(id);
  streams.set(id, { stream: new Stream(model, rate), rate, seconds: 0, post });
  if (!port) return;
  port.onmessage = ({ data }) => {
    if (!streams.has(id)) return port.close();
    postMessage({ kind: "level", id, level: Math.max(...data.map(Math.abs)) });
    samples({ id, samples: data, live: true });
  };
}

function samples({ id, samples, live = false }) {
  const piece = streams.get(id);
  if (!piece) return;
  piece.seconds += samples.length / piece.rate;
  piece.post(piece.stream.push(samples), { seconds: piece.seconds }, live);
}

function finish({ id }) {
  const piece = streams.get(id);
  if (!piece) return;
  piece.post(piece.stream.finish(), { seconds: piece.seconds }, true);
  streams.delete(id);
  postMessage({ kind: "end", id, seconds: piece.seconds });
}

function stop(id) {
  if (!streams.delete(id)) stopped.add(id);
}

/** Return a function that collects steps of a piece and sends them to the page in batches. */
function poster(id) {
  let waiting = [];
  let last = -Infinity;
  return (steps, progress, now = false) => {
    waiting.push(...steps);
    if (!now && performance.now() - last < PAUSE) return;
    if (!waiting.length && now) return;
    last = performance.now();
    const packed = pack(waiting);
    waiting = [];
    postMessage({ kind: "steps", id, ...progress, ...packed }, Object.values(packed).map(({ buffer }) => buffer));
  };
}

/** Concatenate steps into typed arrays, with spectrogram levels as bytes. */
function pack(steps) {
  const joined = (rows, Type) => {
    const result = new Type(rows.reduce((sum, row) => sum + row.length, 0));
    rows.reduce((at, row) => (result.set(row, at), at + row.length), 0);
    return result;
  };
  const byte = (level) => ((level - LOWEST) * 255) / (HIGHEST - LOWEST);
  return {
    now: joined(steps.map(({ step }) => step), Float32Array),
    overall: joined(steps.map(({ clip }) => clip), Float32Array),
    silent: Uint8Array.from(steps, ({ silent }) => silent),
    levels: joined(steps.flatMap(({ frames }) => frames.map((frame) => frame.map(byte))), Uint8ClampedArray),
  };
}
