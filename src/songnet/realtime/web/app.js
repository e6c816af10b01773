// The page: what is chosen is played, analysed by the worker, and shown.

import { Analysis } from "./analysis.js";
import { Listening } from "./listening.js";
import { Piece } from "./piece.js";
import { saveCsv, savePicture } from "./downloads.js";
import { Stage } from "./stage.js";
import { element, fillQueue, make, mark, resetTable, summarise, tell } from "./view.js";

const site = await (await fetch("site.json")).json();
const player = element("player");
const analysis = new Analysis({ changed, level: (value) => listening.level(value), failed: say });
const stage = new Stage(player);
const listening = new Listening(analysis, stage, say);

let model = null; // of site.models, with what the worker tells of it
let pieces = []; // that were chosen together
let current = null;
const exampleButtons = new Map(); // and their examples
let choice = 0; // counts choices: what arrives for an earlier one is ignored

wire();
fillNetworks();
await choose(site.models[0]);
offline();

function wire() {
  element("file").onchange = (event) => {
    openFiles([...event.target.files]);
    event.target.value = "";
  };
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      element("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) openFiles([...event.dataTransfer.files]);
    });
  }
  element("microphone").onclick = toggleMicrophone;
  element("network").onchange = ({ target }) => choose(site.models[target.selectedIndex]);
  element("next").onclick = () => following()?.open();
  element("csv").onclick = () => saveCsv(current);
  element("png").onclick = () => savePicture(current, model, stage.window);
}

/** Take a network; everything on the page is analysed again by it. */
async function choose(entry) {
  document.body.dataset.state = "loading";
  if (listening.piece) listening.stop();
  try {
    model = { ...entry, ...(await analysis.load(entry.file)), close_call: site.close_call };
  } catch (error) {
    return say(error.message);
  }
  say("");
  document.body.dataset.state = "idle";
  tell(element("about"), `${entry.description} It predicts every ${model.stepSeconds.toFixed(2)} s.`);
  resetTable(model);
  stage.model = model;
  fillExamples();
  pieces.filter((piece) => piece.file).forEach((piece) => analysis.analyse(piece));
  if (current?.file) show(current);
}

function openFiles(files) {
  open(files.map((file) => new Piece({ title: file.name, file })));
}

/** Fetch an example, then play it. */
async function openExample(example) {
  clear();
  const mine = choice;
  const answer = await fetch(example.file).catch(() => null);
  const file = answer?.ok && (await answer.blob());
  if (mine !== choice) return;
  if (!file) return say(`${example.title}: it cannot be fetched. Is this device offline?`);
  const credit = `Labelled ${example.genre} in the data set${example.licence && ` · ${example.licence}`}`;
  open([new Piece({ title: example.title, credit, file })], example);
}

/** Analyse pieces one after the other, and play the first one. */
function open(chosen, example = null) {
  clear();
  if (!chosen.length || !model) return;
  pieces = chosen;
  pieces.forEach((piece) => {
    piece.example = example;
    analysis.analyse(piece);
  });
  select(pieces[0]);
}

/** Play a piece and show it. */
function select(piece) {
  if (piece.state === "waiting") analysis.analyse(piece, true);
  show(piece);
  stage.play(piece);
}

function show(piece) {
  current = piece;
  document.title = `${piece.title} – SongNet`;
  stage.show(piece);
  warn(piece);
  for (const [button, example] of exampleButtons) button.setAttribute("aria-current", String(example === piece.example));
  changed(piece);
}

/** Say beside a prediction what it is not worth; examples are of the music that the network knows. */
function warn(piece) {
  element("caution").hidden = !model.caution || Boolean(piece.example);
  tell(element("caution"), model.caution);
}

/** Leave what is on the stage. */
function clear() {
  choice++;
  say("");
  if (listening.piece) listening.close();
  analysis.cancelAll();
  pieces = [];
  current = null;
  stage.clear();
  element("caution").hidden = true;
  summarise(null, model);
  if (model) resetTable(model);
  element("queue").hidden = true;
  document.body.dataset.state = "idle";
}

/** A piece has more steps, or is in another state. */
function changed(piece) {
  if (pieces.length > 1) fillQueue(pieces, current, model, select);
  if (piece !== current) return;
  document.body.dataset.state = piece.state;
  if (piece.state === "failed") say(`${piece.title}: ${piece.problem}`);
  stage.update();
  summarise(piece, model);
  const next = following();
  element("next").hidden = !next;
  if (next) tell(element("next"), `Next: ${next.title}`);
}

/** What may be tried after the current piece. */
function following() {
  const piece = pieces[pieces.indexOf(current) + 1];
  if (piece) return { title: piece.title, open: () => select(piece) };
  const { examples } = model;
  const example = examples[(examples.indexOf(current?.example) + 1) % examples.length];
  if (!example || example === current?.example) return null;
  return { title: example.title, open: () => openExample(example) };
}

async function toggleMicrophone() {
  if (listening.piece) return listening.stop();
  clear();
  const mine = choice;
  const piece = await listening.start(() => mine === choice);
  if (!piece) return;
  pieces = [piece];
  show(piece);
}

function fillExamples() {
  element("examples").hidden = !model.examples.length;
  exampleButtons.clear();
  for (const example of model.examples) {
    const button = make("button", "", mark(model.colours[example.genre] ?? "transparent"), make("span", "", example.title));
    button.append(make("small", "", example.genre));
    button.type = "button";
    button.title = example.credit;
    button.onclick = () => openExample(example);
    exampleButtons.set(button, example);
  }
  element("examples").querySelector(".examples").replaceChildren(...exampleButtons.keys());
}

function fillNetworks() {
  element("networks").hidden = site.models.length < 2;
  element("network").replaceChildren(...site.models.map(({ title }) => new Option(title)));
}

/** Keep the page for times without a connection. */
async function offline() {
  if (!site.offline || !navigator.serviceWorker) return;
  const registered = await navigator.serviceWorker.register("sw.js").catch(() => null);
  if (!registered) return; // private windows keep nothing
  await navigator.serviceWorker.ready;
  tell(element("offline"), "It works offline, too, and can be installed as an app.");
}

function say(text) {
  tell(element("message"), text);
}
