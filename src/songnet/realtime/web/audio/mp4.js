// MP4 and M4A. Tables in the box moov give the positions of the packets.

import { number, text } from "./reader.js";

/** Open an MP4 file with AAC; null for other formats. */
export async function openMp4(reader) {
  if (text(await reader.bytes(0, 8), 4, 4) !== "ftyp") return null;
  const place = await find(reader, 0, reader.size, ["moov"]);
  if (!place) return null;
  const moov = (await reader.bytes(place.start, place.end - place.start)).slice();
  for (const track of boxes(moov, 0, moov.length).filter((box) => box.type === "trak")) {
    const media = child(moov, track, "mdia", "minf", "stbl");
    const config = media && aacOf(moov, child(moov, media, "stsd"));
    if (!config) continue;
    const sizes = sizesOf(moov, child(moov, media, "stsz"));
    if (!sizes.length) return null; // fragmented files are left to the browser's decoder
    const places = placesOf(moov, media, sizes);
    return { ...config, skip: skipped(moov, track), packets: samples(reader, places, sizes) };
  }
  return null;
}

async function* samples(reader, places, sizes) {
  for (let i = 0; i < sizes.length; i++) {
    const data = await reader.bytes(places[i], sizes[i]);
    yield { data, end: places[i] + sizes[i] };
  }
}

/** Find a top-level box without reading the contents of the others. */
async function find(reader, start, end, types) {
  for (let at = start; at + 8 <= end; ) {
    const box = boxAt(await reader.bytes(at, 16), 0);
    const size = box.size || end - at;
    if (types.includes(box.type)) return { start: at + box.head, end: at + size };
    at += Math.max(8, size);
  }
  return null;
}

function boxAt(bytes, at) {
  const size = number(bytes, at, 4);
  return { type: text(bytes, at + 4, 4), head: size === 1 ? 16 : 8, size: size === 1 ? number(bytes, at + 10, 6) : size };
}

function boxes(bytes, start, end) {
  const found = [];
  for (let at = start; at + 8 <= end; ) {
    const box = boxAt(bytes, at);
    const size = Math.max(8, box.size || end - at);
    found.push({ type: box.type, start: at + box.head, end: Math.min(end, at + size) });
    at += size;
  }
  return found;
}

function child(bytes, box, ...path) {
  return path.reduce(
    (parent, type) => parent && boxes(bytes, parent.start, parent.end).find((one) => one.type === type),
    box,
  );
}

/** Decoder configuration of an AAC track, from its sample description. */
function aacOf(bytes, stsd) {
  const entry = stsd && boxes(bytes, stsd.start + 8, stsd.end)[0];
  if (entry?.type !== "mp4a") return null;
  const version = number(bytes, entry.start + 8, 2); // of QuickTime
  const fields = entry.start + 28 + [0, 16, 36][version];
  const esds = boxes(bytes, fields, entry.end).find((box) => box.type === "esds");
  const description = esds && decoderConfig(bytes, esds.start + 4, esds.end);
  if (!description) return null;
  return {
    codec: `mp4a.40.${description[0] >> 3}`,
    sampleRate: number(bytes, entry.start + 24, 2),
    channels: number(bytes, entry.start + 16, 2),
    description,
  };
}

/** The AudioSpecificConfig in the descriptors of the box esds. */
function decoderConfig(bytes, start, end) {
  for (let at = start; at < end; ) {
    const tag = bytes[at++];
    let size = 0;
    do size = size * 128 + (bytes[at] & 127);
    while (bytes[at++] & 128);
    if (tag === 5) return bytes.slice(at, at + size);
    at += { 3: 3, 4: 13 }[tag] ?? size; // descriptors 3 and 4 contain other descriptors
  }
  return null;
}

function sizesOf(bytes, stsz) {
  const same = number(bytes, stsz.start + 4, 4);
  const count = number(bytes, stsz.start + 8, 4);
  return Uint32Array.from({ length: count }, (_, i) => same || number(bytes, stsz.start + 12 + 4 * i, 4));
}

/** Position of each packet; stsc gives the number of packets per chunk. */
function placesOf(bytes, stbl, sizes) {
  const wide = child(bytes, stbl, "co64");
  const chunks = wide ?? child(bytes, stbl, "stco");
  const width = wide ? 8 : 4;
  const stsc = child(bytes, stbl, "stsc");
  const runs = Array.from({ length: number(bytes, stsc.start + 4, 4) }, (_, i) => ({
    first: number(bytes, stsc.start + 8 + 12 * i, 4),
    count: number(bytes, stsc.start + 12 + 12 * i, 4),
  }));
  const places = new Float64Array(sizes.length);
  let packet = 0, run = 0;
  for (let chunk = 1; packet < sizes.length && chunk <= number(bytes, chunks.start + 4, 4); chunk++) {
    while (run + 1 < runs.length && runs[run + 1].first <= chunk) run++;
    let at = number(bytes, chunks.start + 8 + width * (chunk - 1) + (wide ? 2 : 0), wide ? 6 : 4);
    for (let i = 0; i < runs[run].count && packet < sizes.length; i++) {
      places[packet] = at;
      at += sizes[packet++];
    }
  }
  return places;
}

/** Samples of encoder delay, from the edit list. */
function skipped(bytes, track) {
  const list = child(bytes, track, "edts", "elst");
  const version = list && bytes[list.start];
  const start = list ? number(bytes, list.start + (version ? 18 : 12), version ? 6 : 4) : 0;
  return start < 2 ** 16 ? start : 0; // longer edits trim the music itself
}
