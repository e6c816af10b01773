// Texts and tables of the page: predictions, genres, summary, queue.

import { clock, percent, ranked } from "./piece.js";

export const element = (id) => document.getElementById(id);
const MOST_TURNS = 12;
const SILENT = "no music: silence";

/** Set a text only if it changes, since screen readers announce every assignment. */
export function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * Show the most probable genres.
 *
 * @param {string} id of the element: "now" or "overall".
 * @param {Float32Array | null} probabilities null if there is no prediction.
 * @param {object} model genres, colours and close_call.
 * @param {string} reason shown if there is no prediction.
 */
export function showPrediction(id, probabilities, model, reason = "–") {
  const place = element(id);
  const [first, second] = probabilities ? ranked(probabilities, model.genres) : [];
  setText(element(`${id}-shares`), probabilities ? `${share(first)}, ${share(second)}` : "");
  if (!probabilities) {
    setText(place, reason);
    place.style.borderColor = "transparent";
    delete place.dataset.genre;
    return;
  }
  const unsure = isUnsure(first, second, model);
  setText(place, unsure ? `${first.genre} or ${second.genre}?` : first.genre);
  place.style.borderColor = unsure ? "transparent" : model.colours[first.genre];
  place.dataset.genre = first.genre;
}

const share = ({ genre, probability }) => `${genre} ${percent(probability)}`;
const isUnsure = (first, second, model) => first.probability - second.probability < model.close_call;

/** Show the predictions of a piece at a step, which is null if not analysed yet. */
export function showStep(piece, step, window, model) {
  const silent = step !== null && piece.silent(step);
  const reason = silent ? SILENT : piece.state === "waiting" ? "–" : "not analysed yet";
  const known = step !== null && !silent;
  const now = known ? piece.now(step, window) : null;
  const overall = known ? piece.overall(step) : null;
  showPrediction("now", now, model, reason);
  showPrediction("overall", overall, model, reason);
  fillTable(now, overall, model);
}

function fillTable(now, overall, { genres }) {
  const rows = element("genres").tBodies[0].rows;
  genres.forEach((_, g) => {
    [now, overall].forEach((probabilities, i) => {
      const [number, bar] = rows[g].cells[i + 1].children;
      setText(number, probabilities ? percent(probabilities[g]) : "–");
      bar.style.width = `${probabilities ? 60 * probabilities[g] : 0}%`;
    });
  });
}

/** Empty the table of genres. */
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
  showPrediction("now", null, {});
  showPrediction("overall", null, {});
}

/** Create an element with a class and contents; strings become text nodes, never HTML. */
export function make(name, className = "", ...contents) {
  const created = document.createElement(name);
  if (className) created.className = className;
  created.append(...contents);
  return created;
}

export function mark(colour) {
  const created = make("i", "mark");
  created.style.background = colour;
  return created;
}

/** Show the progress of the current piece. */
export function showProgress(piece) {
  const length = piece.duration ? ` of ${clock(piece.duration)}` : "";
  const texts = {
    waiting: "Waiting for earlier files …",
    decoding: "Decoding the whole file, which takes a while …",
    analysing: `Analysed: ${clock(piece.analysed)}${length} …`,
  };
  setText(element("progress"), texts[piece.state] ?? "");
}

/** Return one line about the state or result of a piece. */
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
  setText(element("result"), `${clock(piece.seconds)} of music: ${line}${line.startsWith("unsure") ? "" : rest}.`);
  const turns = found ? piece.turns() : [];
  const texts = turns.slice(0, MOST_TURNS).map(({ seconds, genre }) => `${clock(seconds)} ${genre}`);
  setText(element("turns"), texts.length > 1 ? `${texts.join(" · ")}${turns.length > MOST_TURNS ? " …" : ""}` : "");
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
    setText(button.firstChild, piece.title);
    setText(button.lastChild, resultLine(piece, model));
  });
}
