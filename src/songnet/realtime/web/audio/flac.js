// FLAC. The next frame is found by its frame number and the checksum of its header.

import { number, text } from "./reader.js";

const SHORTEST = 11; // shortest frame, bytes
const LONGEST = 2 ** 24; // longest frame, bytes

/** Open a FLAC file; null for other formats. */
export async function openFlac(reader) {
  if (text(await reader.bytes(0, 4), 0, 4) !== "fLaC") return null;
  const info = (await reader.bytes(0, 42)).slice(); // fLaC and STREAMINFO
  info[4] |= 128; // mark STREAMINFO as the last metadata block
  const format = number(info, 18, 3);
  return {
    codec: "flac",
    sampleRate: format >> 4,
    channels: ((format >> 1) & 7) + 1,
    description: info,
    skip: 0,
    packets: frames(reader, await afterMetadata(reader)),
  };
}

async function afterMetadata(reader) {
  for (let at = 4, last = false; ; ) {
    const head = await reader.bytes(at, 4);
    if (last || head.length < 4) return at;
    last = head[0] >= 128;
    at += 4 + number(head, 1, 3);
  }
}

async function* frames(reader, start) {
  for (let at = start; at < reader.size; ) {
    const frame = headerAt(await reader.bytes(at, 16), 0);
    if (!frame) return; // tags after the last frame
    const end = await nextFrame(reader, at, frame.next);
    yield { data: (await reader.bytes(at, end - at)).slice(), end };
    at = end;
  }
}

/** Position of the frame after the one at `start`. */
async function nextFrame(reader, start, expected) {
  for (let length = 2 ** 15; ; length *= 2) {
    const bytes = await reader.bytes(start, length);
    for (let i = bytes.indexOf(255, SHORTEST); i >= 0; i = bytes.indexOf(255, i + 1)) {
      if (headerAt(bytes, i)?.number === expected) return start + i;
    }
    if (start + bytes.length >= reader.size) return reader.size;
    if (length > LONGEST) throw new Error("a frame without an end");
  }
}

/** Number of a frame and of the next one; null if there is no frame header. */
function headerAt(bytes, at) {
  if (bytes[at] !== 255 || (bytes[at + 1] & 0xfe) !== 0xf8 || bytes[at + 3] & 1) return null;
  const size = bytes[at + 2] >> 4;
  const rate = bytes[at + 2] & 15;
  if (size === 0 || rate === 15) return null;
  let end = at + 4;
  const first = bytes[end++];
  // The number is encoded as in UTF-8, with up to seven bytes.
  const following = first < 128 ? 0 : Math.clz32(~(first << 24)) - 1;
  let found = first < 128 ? first : first & (127 >> (following + 1));
  for (let i = 0; i < following; i++) found = found * 64 + (bytes[end++] & 63);
  let samples = size === 1 ? 192 : size < 6 ? 576 * 2 ** (size - 2) : 256 * 2 ** (size - 8);
  if (size === 6 || size === 7) {
    samples = number(bytes, end, size - 5) + 1;
    end += size - 5;
  }
  end += rate === 12 ? 1 : rate > 12 ? 2 : 0;
  if (end >= bytes.length || checksum(bytes, at, end) !== bytes[end]) return null;
  return { number: found, next: found + (bytes[at + 1] & 1 ? samples : 1) };
}

/** CRC-8 with the polynomial x^8 + x^2 + x + 1. */
function checksum(bytes, start, end) {
  let crc = 0;
  for (let at = start; at < end; at++) {
    crc ^= bytes[at];
    for (let bit = 0; bit < 8; bit++) crc = crc & 128 ? ((crc << 1) ^ 7) & 255 : crc << 1;
  }
  return crc;
}
