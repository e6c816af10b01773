// Decoding of a file to mono samples in chunks, in memory independent of its length.

import { openFlac } from "./flac.js";
import { openMp3 } from "./mp3.js";
import { openMp4 } from "./mp4.js";
import { openOgg } from "./ogg.js";
import { Reader } from "./reader.js";
import { openWav } from "./wav.js";

const FORMATS = [openWav, openFlac, openOgg, openMp4, openMp3]; // MP3 last: it has no signature
const QUEUE = 32; // largest number of packets queued in the decoder

/**
 * Decode an audio file.
 *
 * @param {Blob} file
 * @yields {{samples: Float32Array, rate: number, share: number}} mono samples, their rate in Hz, and
 *   the fraction of the file read so far.
 * @throws {Error} this module cannot parse the file; the browser's own decoder may.
 */
export async function* decode(file) {
  const reader = new Reader(file);
  const track = await open(reader);
  if (track.samples) {
    for await (const { samples, end } of track.samples) {
      yield { samples, rate: track.sampleRate, share: end / file.size };
    }
    return;
  }
  let { skip } = track;
  for await (const { samples, rate, end } of decoded(track)) {
    const kept = skip ? samples.subarray(Math.min(skip, samples.length)) : samples;
    skip -= samples.length - kept.length;
    if (kept.length) yield { samples: kept, rate, share: end / file.size };
  }
}

async function open(reader) {
  for (const format of FORMATS) {
    const track = await format(reader);
    if (track) return { ...track, size: reader.size };
  }
  throw new Error("an unknown format");
}

/** Decode the packets of a track. */
async function* decoded(track) {
  const ready = [];
  let problem = null;
  let wake = () => {};
  const decoder = new AudioDecoder({
    output: (data) => ready.push(data),
    error: (error) => {
      problem = error;
      wake();
    },
  });
  const { codec, sampleRate, channels, description } = track;
  decoder.configure({ codec, sampleRate, numberOfChannels: channels, description });
  decoder.ondequeue = () => wake();
  let count = 0;
  try {
    for await (const { data, end } of track.packets) {
      if (problem) throw problem;
      decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: 20_000 * count++, data }));
      while (decoder.decodeQueueSize > QUEUE && !problem) await new Promise((resolve) => (wake = resolve));
      while (ready.length) yield { ...mono(ready.shift()), end };
    }
    await decoder.flush();
    while (ready.length) yield { ...mono(ready.shift()), end: track.size };
  } finally {
    ready.forEach((data) => data.close());
    if (decoder.state !== "closed") decoder.close();
  }
}

/** Average all channels. */
function mono(data) {
  const { numberOfFrames: size, numberOfChannels: channels, sampleRate: rate } = data;
  const sum = new Float32Array(size);
  const plane = new Float32Array(size);
  for (let channel = 0; size && channel < channels; channel++) {
    data.copyTo(plane, { planeIndex: channel, format: "f32-planar" });
    for (let i = 0; i < size; i++) sum[i] += plane[i];
  }
  data.close();
  if (channels > 1) for (let i = 0; i < size; i++) sum[i] /= channels;
  return { samples: sum, rate };
}
