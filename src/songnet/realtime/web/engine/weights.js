// Weights files as written by `songnet.models.base.save`: safetensors with JSON in the header.

const VERSION = 1;

/**
 * Read a weights file.
 *
 * @param {ArrayBuffer} file
 * @returns {{network: string, config: object, genres: string[], facts: object,
 *   tensors: Map<string, Float32Array>}} tensors in torch's order of dimensions.
 * @throws {Error} the file was not written by SongNet, or by another version.
 */
export function readWeights(file) {
  let header, start, metadata;
  try {
    start = 8 + Number(new DataView(file).getBigUint64(0, true));
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, start - 8)));
    const entries = Object.entries(header.__metadata__);
    metadata = Object.fromEntries(entries.map(([name, value]) => [name, JSON.parse(value)]));
  } catch {
    throw new Error("This is not a network saved by SongNet.");
  }
  if (metadata.version !== VERSION) {
    throw new Error(`The model file has version ${metadata.version}; this page reads version ${VERSION}.`);
  }
  const tensors = new Map();
  for (const [name, { dtype, data_offsets: [from, to] }] of Object.entries(header)
    .filter(([name]) => name !== "__metadata__")) {
    if (start + to > file.byteLength) throw new Error("The model file is truncated.");
    if (dtype === "F32") tensors.set(name, new Float32Array(file.slice(start + from, start + to)));
  }
  return { ...metadata, tensors };
}
