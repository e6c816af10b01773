// What the page says in words: predictions, the table of genres, results, the queue.

import { clock, percent, ranked } from "./piece.js";

export const element = (id) => document.getElementById(id);
const MOST_TURNS = 12;
const SILENT = "no music: silence";

/** Set a text only where it changes, since screen readers read out what is set. */
export function tell(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * Say which genres are likeliest.
 *
 * @param {string} id of the place: "now" or "overall".
 * @param {Float32Array | null} probabilities null where there are none.
 * @param {object} model genres, colours and close_call.
 * @param {string} reason why there are none.
 */
export function pronounce(id, probabilities, model, reason = "–") {
  const place = element(id);
  const [first, second] = probabilities ? ranked(probabilities, model.genres) : [];
  tell(element(`${id}-shares`), probabilities ? `${share(first)}, ${share(second)}` : "");
  if (!probabilities) {
    tell(place, reason);
    place.style.borderColor = "transparent";
    delete place.dataset.genre;
    return;
  }
  const unsure = isUnsure(first, second, model);
  tell(place, unsure ? `${first.genre} or ${second.genre}?` : first.genre);
  place.style.borderColor = unsure ? "transparent" : model.colours[first.genre];
  place.dataset.genre = first.genre;
}

const share = ({ genre, probability }) => `${genre} ${percent(probability)}`;
const isUnsure = (first, second, model) => first.probability - second.probability < model.close_call;

/** Say what a piece is at a step; null where it has not been analysed. */
export function tellStep(piece, step, window, model) {
  const silent = step !== null && piece.silent(step);
  const reason = silent ? SILENT : piece.state === "waiting" ? "–" : "not analysed yet";
  const known = step !== null && !silent;
  const now = known ? piece.now(step, window) : null;
  const overall = known ? piece.overall(step) : null;
  pronounce("now", now, model, reason);
  pronounce("overall", overall, model, reason);
  fillTable(now, overall, model);
}

function fillTable(now, overall, { genres }) {
  const rows = element("genres").tBodies[0].rows;
  genres.forEach((_, g) => {
    [now, overall].forEach((probabilities, i) => {
      const [number, bar] = rows[g].cells[i + 1].children;
      tell(number, probabilities ? percent(probabilities[g]) : "–");
      bar.style.width = `${probabilities ? 60 * probabilities[g] : 0}%`;
    });
  });
}

/** A table without numbers. */
export function resetTable({ genres, colours }) {
  element("genres").tBodies[0].replaceChildren(
    ...genres.map((genre) => {
      const row = document.createElement("tr");
      const head = make("th", "", mark(colours[genre]), genre);
      head.scope = "row";
      const cell = () => {
        const bar = make("i");
        Object.assign(bar.style, { background: colours[genre], width: "0" });
        return make("td", "", make("span", "", "–"), bar);
      };
      row.append(head, cell(), cell());
      return row;
    }),
  );
  pronounce("now", null, {});
  pronounce("overall", null, {});
}

/** An element with a class and contents; texts stay texts. */
export function make(name, className = "", ...contents) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...contents);
  return made;
}

export function mark(colour) {
  const made = make("i", "mark");
  made.style.background = colour;
  return made;
}

/** Progress of the piece on the stage, in words. */
export function tellProgress(piece) {
  const length = piece.duration ? ` of ${clock(piece.duration)}` : "";
  const texts = {
    waiting: "Waiting for the files before it …",
    decoding: "This browser decodes the whole file first, which takes a while …",
    analysing: `Analysed: ${clock(piece.analysed)}${length} …`,
  };
  tell(element("progress"), texts[piece.state] ?? "");
}

/** One line on what a piece is. */
export function resultLine(piece, model) {
  if (piece.state === "failed") return piece.problem;
  if (piece.state === "waiting") return "waiting";
  if (piece.state !== "done") return piece.share ? `analysing, ${percent(piece.share)}` : "decoding";
  const found = piece.result();
  if (!found) return SILENT;
  const [first, second] = found;
  return isUnsure(first, second, model) ? `unsure: ${share(first)} or ${share(second)}` : share(first);
}

/** Fill the summary of a finished piece. */
export function summarise(piece, model) {
  element("summary").hidden = piece?.state !== "done";
  if (piece?.state !== "done") return;
  const found = piece.result();
  const rest = found ? `, then ${share(found[1])}` : "";
  const line = resultLine(piece, model);
  tell(element("result"), `${clock(piece.seconds)} of music: ${line}${line.startsWith("unsure") ? "" : rest}.`);
  const turns = found ? piece.turns() : [];
  const texts = turns.slice(0, MOST_TURNS).map(({ seconds, genre }) => `${clock(seconds)} ${genre}`);
  tell(element("turns"), texts.length > 1 ? `${texts.join(" · ")}${turns.length > MOST_TURNS ? " …" : ""}` : "");
}

/** List the files, each a button with its result. */
export function fillQueue(pieces, current, model, onSelect) {
  element("queue").hidden = pieces.length < 2;
  const list = element("queue").querySelector("ol");
  if (list.childElementCount !== pieces.length) {
    list.replaceChildren(
      ...pieces.map((piece) => {
        const button = make("button", "", make("span", "", piece.title), make("span"));
        button.type = "button";
        button.onclick = () => onSelect(piece);
        return make("li", "", button);
      }),
    );
  }
  pieces.forEach((piece, i) => {
    const button = list.children[i].firstChild;
    button.setAttribute("aria-current", String(piece === current));
    tell(button.firstChild, piece.title);
    tell(button.lastChild, resultLine(piece, model));
  });
}
