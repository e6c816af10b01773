// Files that the worker cannot take apart, decoded by the browser in one go.

const RATE = 44_100; // Hz; most music has it already

/**
 * Decode a file with all of the browser's own decoders.
 *
 * @param {Blob} file
 * @returns {Promise<{samples: Float32Array, rate: number}>} mono.
 * @throws {Error} there is no audio in it that this browser knows.
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
