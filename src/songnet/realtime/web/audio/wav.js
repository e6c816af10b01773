// WAV: uncompressed samples.

import { text } from "./reader.js";

const BLOCK = 2 ** 16; // samples per block, all channels together
// Functions that read a sample, by format (1 integer, 3 float) and bits.
const SAMPLES = {
  "1 8": (view, at) => (view.getUint8(at) - 128) / 2 ** 7,
  "1 16": (view, at) => view.getInt16(at, true) / 2 ** 15,
  "1 24": (view, at) => (view.getInt16(at + 1, true) * 256 + view.getUint8(at)) / 2 ** 23,
  "1 32": (view, at) => view.getInt32(at, true) / 2 ** 31,
  "3 32": (view, at) => view.getFloat32(at, true),
  "3 64": (view, at) => view.getFloat64(at, true),
};

/** Open a WAV file; null for other formats. */
export async function openWav(reader) {
  const head = await reader.bytes(0, 12);
  if (text(head, 0, 4) !== "RIFF" || text(head, 8, 4) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= reader.size; ) {
    const chunk = (await reader.bytes(at, 48)).slice();
    const view = new DataView(chunk.buffer);
    const size = view.getUint32(4, true);
    const name = text(chunk, 0, 4);
    if (name === "fmt ") format = formatOf(view);
    if (name === "data") {
      const length = Math.min(size || Infinity, reader.size - at - 8); // 0 or too large a size means unknown
      return format && { sampleRate: format.rate, samples: blocks(reader, at + 8, length, format) };
    }
    at += 8 + size + (size % 2);
  }
  return null;
}

function formatOf(view) {
  const extensible = view.getUint16(8, true) === 0xfffe;
  const kind = view.getUint16(extensible ? 32 : 8, true);
  const bits = view.getUint16(22, true);
  const read = SAMPLES[`${kind} ${bits}`];
  return read ? { read, bytes: bits / 8, channels: view.getUint16(10, true), rate: view.getUint32(12, true) } : null;
}

async function* blocks(reader, start, length, { read, bytes, channels }) {
  const frame = bytes * channels;
  const most = Math.floor(BLOCK / channels) * frame;
  for (let at = 0; at + frame <= length; at += most) {
    const part = (await reader.bytes(start + at, Math.min(most, length - at))).slice();
    const view = new DataView(part.buffer);
    const samples = Float32Array.from({ length: Math.floor(part.length / frame) }, (_, i) => {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += read(view, i * frame + channel * bytes);
      return sum / channels;
    });
    yield { samples, end: start + at + part.length };
  }
}
