// Downloads: the timeline as CSV, the picture as PNG.

import { Picture, MARGIN } from "./picture.js";

const [WIDTH, HEIGHT, SCALE] = [1000, 420, 2]; // CSS pixels, and device pixels per CSS pixel
const LINE = 22; // height of a line of the legend, pixels

export function saveCsv(piece) {
  save(new Blob([piece.csv()], { type: "text/csv" }), piece, "csv");
}

/** Save the picture of a piece with its title and a legend, in the light theme. */
export function savePicture(piece, model, window) {
  const plot = new Picture(document.createElement("canvas"), { ink: "#1c1c1e", empty: "#f0eeea" });
  plot.window = window;
  plot.resize(WIDTH, HEIGHT, SCALE);
  plot.show(piece, model.colours);
  const canvas = document.createElement("canvas");
  const paint = canvas.getContext("2d");
  const names = legend(paint, model);
  const head = 40 + LINE * (1 + names.at(-1).row);
  Object.assign(canvas, { width: WIDTH * SCALE, height: (HEIGHT + head) * SCALE });
  paint.scale(SCALE, SCALE);
  paint.fillStyle = "#fff";
  paint.fillRect(0, 0, WIDTH, HEIGHT + head);
  paint.drawImage(plot.canvas, 0, head, WIDTH, HEIGHT);
  paint.fillStyle = "#1c1c1e";
  paint.font = "600 17px system-ui, sans-serif";
  paint.fillText(piece.title, MARGIN.left, 26, WIDTH - 2 * MARGIN.left);
  for (const { genre, colour, x, row } of names) {
    paint.fillStyle = colour;
    paint.fillRect(x, 36 + row * LINE, 12, 12);
    paint.fillStyle = "#1c1c1e";
    paint.font = "13px system-ui, sans-serif";
    paint.fillText(genre, x + 17, 47 + row * LINE);
  }
  canvas.toBlob((blob) => save(blob, piece, "png"));
}

/** Lay out the legend: the position of each genre. */
function legend(paint, { genres, colours }) {
  paint.font = "13px system-ui, sans-serif";
  let x = MARGIN.left, row = 0;
  return genres.map((genre) => {
    const width = 17 + paint.measureText(genre).width + 18;
    if (x + width > WIDTH - MARGIN.right) [x, row] = [MARGIN.left, row + 1];
    const place = { genre, colour: colours[genre], x, row };
    x += width;
    return place;
  });
}

function save(blob, piece, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  const name = piece.title.replace(/\.\w{2,4}$/, "").replace(/[^\p{L}\p{N} .,_-]+/gu, "_");
  link.download = `${name || "songnet"}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
