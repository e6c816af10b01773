// Stacked probabilities over the spectrogram, on one time axis.

const MARGIN = { l: 44, r: 12, t: 8, b: 28 };
const LIVE_SECONDS = 60; // window of a piece without an end
const MOST_COLUMNS = 16384; // of a spectrogram; browsers draw nothing on a canvas of twice as many
const MOST_POINTS = 2000; // of a curve

export class Chart {
  /** `about` is what the server tells; `onSeek` gets seconds. */
  constructor(about, { onSeek }) {
    this.about = about;
    this.chart = document.getElementById("chart");
    this.canvas = document.getElementById("spectrogram");
    this.playhead = document.getElementById("playhead");
    this.colours = magma();
    this.canvas.style.marginLeft = `${MARGIN.l}px`;
    this.canvas.style.width = `calc(100% - ${MARGIN.l + MARGIN.r}px)`;
    const seek = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      if (share >= 0 && share <= 1) onSeek(this.start + share * (this.end - this.start));
    };
    this.chart.addEventListener("click", seek);
    this.canvas.addEventListener("click", seek);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(...this.drawing));
    this.reset(30);
  }

  /** Start again; `seconds` is null for music without an end. */
  reset(seconds) {
    this.live = seconds === null;
    this.start = 0;
    this.end = this.live ? LIVE_SECONDS : seconds;
    this.frames = 0; // frames
    this.drawn = 0; // columns
    this.paint = this.canvas.getContext("2d");
    const frames = Math.max(1, Math.round((this.end / this.about.step_seconds) * this.about.frames_per_step));
    this.stride = Math.ceil(frames / MOST_COLUMNS); // one frame of so many is shown
    this.canvas.width = Math.ceil(frames / this.stride);
    this.canvas.height = this.about.bands;
    this.draw([], []);
    this.movePlayhead(null);
  }

  /** Draw all steps: their times, and smoothed probabilities (steps × genres). */
  draw(times, probabilities) {
    this.drawing = [times, probabilities];
    const style = getComputedStyle(document.body);
    if (this.live && times.length && times.at(-1) > LIVE_SECONDS) {
      this.end = times.at(-1);
      this.start = this.end - LIVE_SECONDS;
    }
    const first = this.live ? times.findIndex((time) => time >= this.start) : 0;
    const every = Math.ceil((times.length - first) / MOST_POINTS);
    const shown = [...times.keys()].filter((i) => i >= first && ((i - first) % every === 0 || i === times.length - 1));
    const traces = this.about.genres.map((genre, g) => ({
      x: shown.map((i) => times[i]),
      y: shown.map((i) => probabilities[i][g]),
      name: genre,
      stackgroup: "genres",
      mode: "none",
      fillcolor: this.about.colours[genre],
      hovertemplate: `${genre} %{y:.0%}<extra></extra>`,
    }));
    const ink = style.getPropertyValue("--ink");
    Plotly.react(
      this.chart,
      traces,
      {
        margin: MARGIN,
        showlegend: false,
        paper_bgcolor: "transparent",
        plot_bgcolor: "transparent",
        font: { color: ink },
        hovermode: "x unified",
        hoverlabel: { bgcolor: style.getPropertyValue("--card") },
        xaxis: { range: [this.start, this.end], fixedrange: true, ticksuffix: " s", showgrid: false },
        yaxis: { range: [0, 1], fixedrange: true, tickformat: ".0%", dtick: 0.25 },
      },
      { displayModeBar: false, responsive: true },
    );
  }

  /** Paint the spectrogram of new steps. */
  addSpectrogram(steps) {
    for (const step of steps) {
      const bytes = Uint8Array.from(atob(step.spectrogram), (c) => c.charCodeAt(0));
      this.paintColumns(bytes);
    }
  }

  paintColumns(bytes) {
    const bands = this.about.bands;
    const frames = [...Array(bytes.length / bands).keys()].filter((t) => (this.frames + t) % this.stride === 0);
    this.frames += bytes.length / bands;
    const count = frames.length;
    if (!count) return;
    if (this.live && this.drawn + count > this.canvas.width) {
      this.paint.drawImage(this.canvas, -count, 0);
      this.drawn = this.canvas.width - count;
    }
    const image = this.paint.createImageData(count, bands);
    frames.forEach((t, column) => {
      for (let m = 0; m < bands; m++) {
        const colour = this.colours[bytes[t * bands + m]];
        const at = ((bands - 1 - m) * count + column) * 4;
        image.data.set(colour, at);
        image.data[at + 3] = 255;
      }
    });
    this.paint.putImageData(image, this.drawn, 0);
    this.drawn += count;
  }

  movePlayhead(seconds) {
    this.playhead.hidden = seconds === null || this.live;
    if (this.playhead.hidden) return;
    const share = (seconds - this.start) / (this.end - this.start);
    this.playhead.style.left = `${MARGIN.l + share * this.canvas.clientWidth}px`;
  }
}

/** 256 colours from black over violet and orange to white-yellow, after matplotlib's magma. */
function magma() {
  const stops = [[0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122], [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191]];
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    return stops[low].map((value, c) => value + (at - low) * (stops[low + 1][c] - value));
  });
}
