// Ogg with Opus or Vorbis in it: pages, whose segments make up packets.

import { number, text } from "./reader.js";

const OPUS_RATE = 48_000; // Hz, whatever the music had before

/** Open an Ogg; null for another file, or another codec in it. */
export async function openOgg(reader) {
  if (text(await reader.bytes(0, 4), 0, 4) !== "OggS") return null;
  const packets = packetsOf(reader);
  const head = (await packets.next()).value?.data.slice();
  if (head && text(head, 0, 8) === "OpusHead") {
    await packets.next(); // tags
    // What an encoder put before the music stands in the head, and decoders drop it.
    return { codec: "opus", sampleRate: OPUS_RATE, channels: head[9], description: head, skip: 0, packets };
  }
  if (head && text(head, 1, 6) === "vorbis") {
    const comments = (await packets.next()).value.data.slice();
    const books = (await packets.next()).value.data.slice();
    const sampleRate = new DataView(head.buffer).getUint32(12, true);
    const description = laced(head, comments, books);
    return { codec: "vorbis", sampleRate, channels: head[11], description, skip: 0, packets };
  }
  return null;
}

/** Packets of the stream that begins the file. */
async function* packetsOf(reader) {
  let serial = null;
  let parts = []; // of an unfinished packet
  for (let at = 0; at + 27 <= reader.size; ) {
    const head = (await reader.bytes(at, 27 + 255)).slice();
    if (text(head, 0, 4) !== "OggS") throw new Error("a page is missing");
    const segments = head.subarray(27, 27 + head[26]);
    const size = segments.reduce((sum, length) => sum + length, 0);
    const body = (await reader.bytes(at + 27 + segments.length, size)).slice();
    at += 27 + segments.length + size;
    const found = number(head, 14, 4);
    serial ??= found;
    if (found !== serial) throw new Error("more than one stream");
    let start = 0, end = 0;
    for (const length of segments) {
      end += length;
      if (length === 255) continue;
      parts.push(body.subarray(start, end));
      yield { data: parts.length > 1 ? joined(parts) : parts[0], end: at };
      parts = [];
      start = end;
    }
    if (end > start) parts.push(body.subarray(start, end));
  }
}

function joined(parts) {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Vorbis' three headers as decoders take them: their number less one, two lengths, then all. */
function laced(head, comments, books) {
  const lengths = [head, comments].flatMap(({ length }) => [...Array(Math.floor(length / 255)).fill(255), length % 255]);
  return joined([Uint8Array.from([2, ...lengths]), head, comments, books]);
}
