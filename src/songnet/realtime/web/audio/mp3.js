// MP3: consecutive frames, whose headers give their lengths.

import { number, text } from "./reader.js";

const MPEG1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]; // kbit/s
const MPEG2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const RATES = [44_100, 48_000, 32_000]; // Hz, of MPEG 1
const FARTHEST = 2 ** 16; // largest position of the first frame after tags, bytes
const DECODER_DELAY = 529; // samples

/** Open an MP3 file; null for other formats. */
export async function openMp3(reader) {
  const start = await firstFrame(reader);
  if (start === null) return null;
  const head = await reader.bytes(start, 4096);
  const first = frameAt(head, 0);
  const info = infoOf(head, first);
  return {
    codec: "mp3",
    sampleRate: first.rate,
    channels: first.channels,
    skip: info.skip,
    packets: frames(reader, info.present ? start + first.length : start, first),
  };
}

async function* frames(reader, start, first) {
  let at = start;
  while (at + 4 <= reader.size) {
    let bytes = await reader.bytes(at, 4);
    const frame = frameAt(bytes, 0);
    if (!frame) {
      at = await nextFrame(reader, at + 1, Infinity); // skip tags and damaged bytes
      if (at === null) return;
      continue;
    }
    if (frame.rate !== first.rate) throw new Error("its sample rate changes");
    bytes = await reader.bytes(at, frame.length);
    at += frame.length;
    if (bytes.length === frame.length) yield { data: bytes, end: at };
  }
}

/** Position of the first frame after tags; null if there is none near the beginning. */
async function firstFrame(reader) {
  const head = await reader.bytes(0, 10);
  let at = 0;
  if (head.length === 10 && text(head, 0, 3) === "ID3") {
    const size = [6, 7, 8, 9].reduce((sum, i) => sum * 128 + (head[i] & 127), 0);
    at = 10 + size + (head[5] & 16 ? 10 : 0);
  }
  return nextFrame(reader, at, FARTHEST);
}

/** Position of the next frame that is followed by a similar one, at most `within` bytes ahead. */
async function nextFrame(reader, start, within) {
  for (let at = start; at + 4 <= reader.size && at <= start + within; ) {
    const bytes = await reader.bytes(at, 8192);
    for (let i = bytes.indexOf(255); i >= 0 && i + 4 <= bytes.length; i = bytes.indexOf(255, i + 1)) {
      const frame = frameAt(bytes, i);
      if (!frame) continue;
      const next = at + i + frame.length;
      const follower = frameAt(await reader.bytes(next, 4), 0);
      if (follower?.rate === frame.rate || next === reader.size) return at + i;
    }
    at += Math.max(1, bytes.length - 3);
  }
  return null;
}

function frameAt(bytes, at) {
  if (bytes.length < at + 4 || bytes[at] !== 255 || (bytes[at + 1] & 0xe6) !== 0xe2) return null; // layer III
  const version = (bytes[at + 1] >> 3) & 3; // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  const bits = (version === 3 ? MPEG1 : MPEG2)[bytes[at + 2] >> 4];
  const rate = RATES[(bytes[at + 2] >> 2) & 3] / { 3: 1, 2: 2, 0: 4 }[version];
  if (!bits || !rate) return null;
  const padding = (bytes[at + 2] >> 1) & 1;
  const length = Math.floor(((version === 3 ? 144 : 72) * 1000 * bits) / rate) + padding;
  return { rate, length, version, channels: bytes[at + 3] >> 6 === 3 ? 1 : 2 };
}

/** Whether the first frame is an info frame without music, and how many samples of delay to skip. */
function infoOf(bytes, { version, channels }) {
  const at = 4 + (version === 3 ? [17, 32] : [9, 17])[channels - 1];
  if (!["Xing", "Info"].includes(text(bytes, at, 4))) return { present: false, skip: 0 };
  const flags = bytes[at + 7];
  const fields = (flags & 1 ? 4 : 0) + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
  const encoder = at + 8 + fields;
  const delay = number(bytes, encoder + 21, 2) >> 4;
  return { present: true, skip: delay ? delay + DECODER_DELAY : 0 };
}
