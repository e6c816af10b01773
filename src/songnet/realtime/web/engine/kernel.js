// The inner loop of a convolution, as a WebAssembly function that uses SIMD. It is assembled here,
// because the page consists of text files only.

export const POSITIONS = 8; // positions per call
export const OUTPUTS = 4; // outputs per call, one SIMD vector

const I32 = 0x7f, V128 = 0x7b;
const LOOP = [0x03, 0x40], END = 0x0b, BRANCH_IF = 0x0d;
const ADD = 0x6a, SUBTRACT = 0x6b, UNEQUAL = 0x47;
const LOAD = 0x00, LOAD_SPLAT = 0x09, STORE = 0x0b, ADD_VECTORS = 0xe4, MULTIPLY_VECTORS = 0xe6;

const [X, WEIGHTS, OUT, ROWS, SEGMENT, SKIP, OUT_STEP, SEGMENT_END, WEIGHT, SUM] = Array(10).keys();

/**
 * Compile the function `(x, weights, out, rows, segment, skip, outStep)` on a memory.
 *
 * It computes OUTPUTS outputs at POSITIONS positions: a bias plus the products of weights and
 * `rows` segments of `segment` bytes, which are `skip` bytes apart. The weights at `weights` are
 * OUTPUTS biases, then OUTPUTS weights per input value. Input starts at `x`, and `positionBytes`
 * later for each next position. Outputs are written to `out`, `outStep` bytes apart. All numbers are
 * float32, all addresses are in bytes.
 *
 * @param {WebAssembly.Memory} memory
 * @param {number} positionBytes
 * @returns {Function}
 */
export function convolutionKernel(memory, positionBytes) {
  const positions = [...Array(POSITIONS).keys()];
  const code = [
    ...get(WEIGHTS), ...vector(LOAD, 0), ...set(WEIGHT),
    ...positions.flatMap((i) => [...get(WEIGHT), ...set(SUM + i)]),
    ...increase(WEIGHTS, constant(16)),
    ...LOOP, // over rows
    ...get(X), ...get(SEGMENT), ADD, ...set(SEGMENT_END),
    ...LOOP, // over the values of a segment
    ...get(WEIGHTS), ...vector(LOAD, 0), ...set(WEIGHT),
    ...positions.flatMap((i) => [
      ...get(SUM + i), ...get(WEIGHT), ...get(X), ...vector(LOAD_SPLAT, i * positionBytes),
      ...vector(MULTIPLY_VECTORS), ...vector(ADD_VECTORS), ...set(SUM + i),
    ]),
    ...increase(WEIGHTS, constant(16)),
    ...increase(X, constant(4)),
    ...get(X), ...get(SEGMENT_END), UNEQUAL, BRANCH_IF, 0,
    END,
    ...increase(X, get(SKIP)),
    ...get(ROWS), ...constant(1), SUBTRACT, ...set(ROWS),
    ...get(ROWS), BRANCH_IF, 0,
    END,
    ...positions.flatMap((i) => [
      ...get(OUT), ...get(SUM + i), ...vector(STORE, 0), ...increase(OUT, get(OUT_STEP)),
    ]),
    END,
  ];
  const locals = [2, 1, I32, ...number(1 + POSITIONS), V128];
  const body = [...locals, ...code];
  const module = Uint8Array.of(
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // "\0asm", version
    ...section(1, [1, 0x60, 7, ...Array(7).fill(I32), 0]), // one type: seven i32, no result
    ...section(2, [1, ...name("m"), ...name("memory"), 0x02, 0x00, 1]),
    ...section(3, [1, 0]), // one function, of type 0
    ...section(7, [1, ...name("run"), 0x00, 0]), // exported
    ...section(10, [1, ...number(body.length), ...body]),
  );
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module), { m: { memory } });
  return instance.exports.run;
}

const get = (local) => [0x20, local];
const set = (local) => [0x21, local];
const constant = (value) => [0x41, value]; // below 64
const increase = (local, amount) => [...get(local), ...amount, ADD, ...set(local)];
const section = (id, content) => [id, ...number(content.length), ...content];
const name = (text) => [text.length, ...new TextEncoder().encode(text)];

/** A SIMD instruction; those that access memory have an offset. */
function vector(instruction, offset = null) {
  const memory = offset === null ? [] : [2, ...number(offset)]; // aligned to 2^2 bytes
  return [0xfd, ...number(instruction), ...memory];
}

/** An unsigned integer in LEB128. */
function number(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...number(value >> 7)];
}
