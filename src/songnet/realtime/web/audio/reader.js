// Reader of a file's bytes, on demand.

const WINDOW = 2 ** 18; // smallest number of bytes per read

export class Reader {
  /** @param {Blob} file */
  constructor(file) {
    this.file = file;
    this.size = file.size;
    this.start = 0;
    this.window = new Uint8Array(0);
  }

  /** @returns {Promise<Uint8Array>} `length` bytes from `start`, fewer at the end of the file. */
  async bytes(start, length) {
    const end = Math.min(start + length, this.size);
    if (start < this.start || end > this.start + this.window.length) {
      const slice = this.file.slice(start, start + Math.max(length, WINDOW));
      this.window = new Uint8Array(await slice.arrayBuffer());
      this.start = start;
    }
    return this.window.subarray(start - this.start, Math.max(start, end) - this.start);
  }
}

/** Decode ASCII text. */
export function text(bytes, start, length) {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

/** Decode a big-endian number of up to six bytes. */
export function number(bytes, start, length) {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + bytes[start + i];
  return value;
}
