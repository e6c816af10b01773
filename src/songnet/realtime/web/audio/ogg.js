// Ogg with Opus or Vorbis: pages, whose segments form packets.

import { number, text } from "./reader.js";

const OPUS_RATE = 48_000; // Hz; Opus always decodes to this rate

/** Open an Ogg file with Opus or Vorbis; null for other formats. */
export async function openOgg(reader) {
  if (text(await reader.bytes(0, 4), 0, 4) !== "OggS") return null;
  const packets = packetsOf(reader);
  const head = (await packets.next()).value?.data.slice();
  if (head && text(head, 0, 8) === "OpusHead") {
    await packets.next(); // tags
    // Decoders drop the encoder delay, which is in the header.
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

/** Packets of the first stream of the file. */
async function* packetsOf(reader) {
  let serial = null;
  let parts = []; // segments of an unfinished packet
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

/** Pack the three Vorbis headers for the decoder: their number − 1, two lengths, then the headers. */
function laced(head, comments, books) {
  const lengths = [head, comments].flatMap(({ length }) => [...Array(Math.floor(length / 255)).fill(255), length % 255]);
  return joined([Uint8Array.from([2, ...lengths]), head, comments, books]);
}
