// Colour map of the spectrogram, an approximation of matplotlib's magma.

const STOPS = [
  [0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122], [229, 80, 100],
  [251, 135, 97], [254, 194, 135], [252, 253, 191],
];

/** @returns {Uint32Array} 256 RGBA pixels, from quiet to loud. */
export function magma() {
  const pixels = new Uint8ClampedArray(4 * 256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (STOPS.length - 1);
    const low = Math.min(Math.floor(at), STOPS.length - 2);
    const colour = STOPS[low].map((value, c) => value + (at - low) * (STOPS[low + 1][c] - value));
    pixels.set([...colour, 255], 4 * i);
  }
  return new Uint32Array(pixels.buffer);
}
