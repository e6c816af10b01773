// The picture: stacked probabilities above the spectrogram, on a common time axis.

import { magma } from "./magma.js";
import { clock } from "./piece.js";

const LIVE_SECONDS = 60; // length of the time axis for a microphone
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600]; // seconds
const TICK_WIDTH = 70; // smallest distance between ticks, pixels
const GAP = 8; // pixels between the two plots
const NAME_HEIGHT = 16; // smallest height of an area for its genre's name, pixels
const NAME_PLACES = 60; // number of positions tried for a name
export const MARGIN = { left: 40, right: 12, top: 8, bottom: 24 }; // pixels, as in style.css

/** Draws a piece. Off-screen layers keep drawn columns, so that only new columns are drawn. */
export class Picture {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{ink: string, empty: string}} [theme] colours; default: the page's.
   */
  constructor(canvas, theme = null) {
    this.canvas = canvas;
    this.paint = canvas.getContext("2d");
    this.theme = theme;
    this.areas = document.createElement("canvas");
    this.spectrogram = document.createElement("canvas");
    this.colours = magma();
    this.piece = null;
    this.window = 1; // smoothing window, steps
  }

  /** Set the size, in CSS pixels. */
  resize(width, height, scale = devicePixelRatio) {
    this.scale = scale;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const inner = height - MARGIN.top - MARGIN.bottom - GAP;
    this.width = Math.max(1, width - MARGIN.left - MARGIN.right);
    this.upper = Math.round(0.68 * inner);
    this.lower = inner - this.upper;
    this.areas.width = this.spectrogram.width = Math.round(this.width * scale);
    this.areas.height = Math.round(this.upper * scale);
    this.draw();
  }

  show(piece, colours) {
    this.piece = piece;
    this.genreColours = piece?.model?.genres.map((genre) => colours[genre]);
    this.spectrogram.height = piece?.model?.bands ?? 1;
    this.draw();
  }

  /** Limits of the time axis, seconds. */
  get range() {
    const { piece } = this;
    if (!piece) return [0, 30];
    if (piece.state !== "listening") return [0, Math.max(1, piece.seconds)];
    const end = Math.max(LIVE_SECONDS, piece.steps * piece.model.stepSeconds);
    return [end - LIVE_SECONDS, end];
  }

  /** Draw everything. */
  draw() {
    this.areas.getContext("2d").clearRect(0, 0, this.areas.width, this.areas.height);
    this.spectrogram.getContext("2d").clearRect(0, 0, this.spectrogram.width, this.spectrogram.height);
    this.painted = 0; // number of columns drawn
    this.paintedRange = this.range;
    this.update();
  }

  /** Draw new columns. */
  update() {
    const { piece, range } = this;
    if (String(range) !== String(this.paintedRange)) return this.draw();
    if (piece?.steps) {
      // The rest at the end is shorter than a step and is drawn like the last step.
      const end = piece.state === "done" ? range[1] : piece.steps * piece.model.stepSeconds;
      const columns = Math.min(this.areas.width, Math.floor(this.columnAt(end)));
      this.paintAreas(Math.max(0, this.painted - 1), columns);
      this.paintSpectrogram(Math.max(0, this.painted - 1), columns);
      this.painted = columns;
    }
    this.compose();
  }

  columnAt(seconds) {
    const [start, end] = this.range;
    return ((seconds - start) / (end - start)) * this.areas.width;
  }

  secondsAt(column) {
    const [start, end] = this.range;
    return start + (column / this.areas.width) * (end - start);
  }

  paintAreas(from, to) {
    const { piece, areas } = this;
    const paint = areas.getContext("2d");
    for (let column = from; column < to; column++) {
      const shares = this.sharesAt(this.secondsAt(column + 0.5));
      let top = areas.height;
      if (!shares) continue;
      shares.forEach((share, g) => {
        const height = share * areas.height;
        paint.fillStyle = this.genreColours[g];
        // One extra pixel hides seams; the next genre covers it.
        paint.fillRect(column, top - height, 1, height + 1);
        top -= height;
      });
    }
  }

  /** Smoothed probabilities at a time, interpolated between the neighbouring steps. */
  sharesAt(seconds) {
    const { piece, window } = this;
    const place = seconds / piece.model.stepSeconds - 1;
    const before = Math.min(piece.steps - 1, Math.max(0, Math.floor(place)));
    const after = Math.min(piece.steps - 1, Math.max(0, Math.ceil(place)));
    if (piece.silent(before)) return null;
    const [a, b] = [piece.now(before, window), piece.now(after, window)];
    const weight = before === after ? 0 : place - before;
    return a.map((value, g) => value + weight * (b[g] - value));
  }

  paintSpectrogram(from, to) {
    const { spectrogram, colours } = this;
    if (to <= from) return;
    const bands = spectrogram.height;
    const image = new ImageData(to - from, bands);
    const pixels = new Uint32Array(image.data.buffer);
    for (let column = from; column < to; column++) {
      const levels = this.levelsAt(this.secondsAt(column + 0.5));
      if (!levels) continue;
      for (let band = 0; band < bands; band++) {
        pixels[(bands - 1 - band) * (to - from) + column - from] = colours[levels[band]];
      }
    }
    spectrogram.getContext("2d").putImageData(image, from, 0);
  }

  levelsAt(seconds) {
    const { piece } = this;
    const { stepSeconds, framesPerStep } = piece.model;
    const frame = Math.floor((seconds / stepSeconds) * framesPerStep);
    if (piece.state === "listening") return piece.recent[frame - (piece.frames - piece.recent.length)];
    const column = Math.floor(frame / piece.framesPerColumn);
    return piece.columns.count ? piece.columns.row(Math.min(column, piece.columns.count - 1)) : null;
  }

  /** Draw the layers and the axes onto the canvas. */
  compose() {
    const { paint, piece, scale, width, upper, lower } = this;
    const { ink, empty } = this.theme ?? pageTheme();
    paint.setTransform(scale, 0, 0, scale, 0, 0);
    paint.clearRect(0, 0, this.canvas.width, this.canvas.height);
    paint.fillStyle = empty;
    paint.fillRect(MARGIN.left, MARGIN.top, width, upper);
    paint.fillRect(MARGIN.left, MARGIN.top + upper + GAP, width, lower);
    paint.drawImage(this.areas, MARGIN.left, MARGIN.top, width, upper);
    paint.drawImage(this.spectrogram, MARGIN.left, MARGIN.top + upper + GAP, width, lower);
    paint.fillStyle = ink;
    paint.font = "12px system-ui, sans-serif";
    this.labels();
    if (piece?.state === "done") this.names();
  }

  /** Write the name of each genre where its area is highest, if it is high enough. */
  names() {
    const { paint, piece, upper, width, areas } = this;
    const edges = Array.from({ length: NAME_PLACES }, (_, i) => {
      const shares = this.sharesAt(this.secondsAt(((i + 0.5) / NAME_PLACES) * areas.width));
      let top = upper;
      return shares && Array.from(shares, (share) => ({ bottom: top, top: (top -= share * upper) }));
    });
    paint.textAlign = "center";
    paint.textBaseline = "middle";
    piece.model.genres.forEach((genre, g) => {
      const reach = Math.ceil(((paint.measureText(genre).width / 2 + 4) / width) * NAME_PLACES);
      let best = { room: NAME_HEIGHT };
      for (let i = reach; i < NAME_PLACES - reach; i++) {
        const near = edges.slice(i - reach, i + reach + 1).map((areas) => areas?.[g] ?? { top: upper, bottom: 0 });
        const top = Math.max(...near.map((area) => area.top));
        const bottom = Math.min(...near.map((area) => area.bottom));
        if (bottom - top > best.room) best = { room: bottom - top, x: (i + 0.5) / NAME_PLACES, y: (top + bottom) / 2 };
      }
      paint.fillStyle = isLight(this.genreColours[g]) ? "#000" : "#fff";
      if (best.x) paint.fillText(genre, MARGIN.left + best.x * width, MARGIN.top + best.y);
    });
  }

  labels() {
    const { paint, width, upper, lower } = this;
    const [start, end] = this.range;
    paint.textBaseline = "middle";
    paint.textAlign = "right";
    for (const share of [0, 0.5, 1]) {
      const text = share === 1 ? "100 %" : `${100 * share}`;
      paint.fillText(text, MARGIN.left - 4, MARGIN.top + (1 - share) * (upper - 8) + 4);
    }
    paint.textBaseline = "alphabetic";
    paint.textAlign = "center";
    const bottom = MARGIN.top + upper + GAP + lower;
    const step = TICKS.find((tick) => (tick / (end - start)) * width >= TICK_WIDTH) ?? 7200;
    for (let at = Math.ceil(start / step) * step; at <= end; at += step) {
      const x = MARGIN.left + ((at - start) / (end - start)) * width;
      paint.fillRect(x, bottom, 1, 4);
      paint.fillText(clock(at), Math.min(x, MARGIN.left + width - 8), bottom + 18);
    }
  }
}

/** Whether black contrasts more than white with a colour, #rrggbb (luminance: WCAG 2.2). */
function isLight(colour) {
  const linear = [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.18;
}

function pageTheme() {
  const style = getComputedStyle(document.documentElement);
  return { ink: style.getPropertyValue("--soft"), empty: style.getPropertyValue("--empty") };
}
