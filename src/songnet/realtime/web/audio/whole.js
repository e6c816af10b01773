// Decoding of whole files by the browser, for formats that the worker cannot parse.

const RATE = 44_100; // Hz; the rate of most music

/**
 * Decode a file with the browser's own decoder.
 *
 * @param {Blob} file
 * @returns {Promise<{samples: Float32Array, rate: number}>} mono.
 * @throws {Error} the browser cannot decode the file.
 */
export async function decodeWhole(file) {
  const context = new OfflineAudioContext(1, 1, RATE);
  const audio = await context.decodeAudioData(await file.arrayBuffer());
  const samples = audio.getChannelData(0).slice();
  for (let c = 1; c < audio.numberOfChannels; c++) {
    const channel = audio.getChannelData(c);
    for (let i = 0; i < samples.length; i++) samples[i] += channel[i];
  }
  for (let i = 0; i < samples.length; i++) samples[i] /= audio.numberOfChannels;
  return { samples, rate: RATE };
}
