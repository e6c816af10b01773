// Main module of the page: plays, analyses and shows the chosen music.

import { Analysis } from "./analysis.js";
import { Listening } from "./listening.js";
import { Piece } from "./piece.js";
import { saveCsv, savePicture } from "./downloads.js";
import { Stage } from "./stage.js";
import { element, fillQueue, make, mark, resetTable, summarise, setText } from "./view.js";

const site = await (await fetch("site.json")).json();
const player = element("player");
const analysis = new Analysis({ changed, level: (value) => listening.level(value), failed: say });
const stage = new Stage(player);
const listening = new Listening(analysis, stage, say);

let chosen = null; // entry of site.models in use
let model = null; // entry of site.models, with the worker's facts about the network
let pieces = []; // pieces chosen together
let current = null;
const exampleButtons = new Map(); // examples by button
let choice = 0; // number of the current choice; responses to earlier choices are ignored

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

/** Select a network and analyse everything on the page again with it. */
async function choose(entry) {
  const menu = element("network");
  const hadFocus = document.activeElement === menu;
  menu.disabled = true; // one at a time: the worker keeps the network that arrives last
  document.body.dataset.state = "loading";
  if (listening.piece) listening.stop();
  let problem = "";
  try {
    model = { ...entry, ...(await analysis.load(entry.file)), close_call: site.close_call };
    chosen = entry;
  } catch (error) {
    problem = error.message; // the network before stays in use
  }
  menu.disabled = false;
  menu.selectedIndex = site.models.indexOf(chosen);
  if (hadFocus) menu.focus();
  if (!chosen) return say(problem);
  if (current && !current.file) clear(); // music from the microphone cannot be analysed again
  say(problem);
  document.body.dataset.state = "idle";
  setText(element("about"), `${chosen.description} It predicts every ${model.stepSeconds.toFixed(2)} s.`);
  resetTable(model);
  stage.model = model;
  fillExamples();
  pieces.filter((piece) => piece.file).forEach((piece) => analysis.analyse(piece));
  if (current?.file) show(current);
}

function openFiles(files) {
  open(files.map((file) => new Piece({ title: file.name, file })));
}

/** Download an example and play it. */
async function openExample(example) {
  clear();
  const thisChoice = choice;
  const answer = await fetch(example.file).catch(() => null);
  const file = answer?.ok && (await answer.blob());
  if (thisChoice !== choice) return;
  if (!file) return say(`${example.title}: the download failed. Is this device offline?`);
  const credit = `Genre in the data set: ${example.genre}${example.licence && ` · ${example.licence}`}`;
  open([new Piece({ title: example.title, credit, file })], example);
}

/** Queue pieces for analysis and play the first one. */
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

/** Show the network's caution, except for examples, which are like its training music. */
function warn(piece) {
  element("caution").hidden = !model.caution || Boolean(piece.example);
  setText(element("caution"), model.caution);
}

/** Stop and remove the current pieces. */
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

/** Update the page after a piece has new steps or another state. */
function changed(piece) {
  if (pieces.length > 1) fillQueue(pieces, current, model, select);
  if (piece !== current) return;
  document.body.dataset.state = piece.state;
  if (piece.state === "failed") say(`${piece.title}: ${piece.problem}`);
  stage.update();
  summarise(piece, model);
  const next = following();
  element("next").hidden = !next;
  if (next) setText(element("next"), `Next: ${next.title}`);
}

/** Return what to offer after the current piece: the next file, or another example. */
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
  const thisChoice = choice;
  const piece = await listening.start(() => thisChoice === choice);
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

/** Install the service worker, so that the page works offline. */
async function offline() {
  if (!site.offline || !navigator.serviceWorker) return;
  const registered = await navigator.serviceWorker.register("sw.js").catch(() => null);
  if (!registered) return; // not allowed in private windows
  await navigator.serviceWorker.ready;
  setText(element("offline"), "It also works offline and can be installed as an app.");
}

function say(text) {
  setText(element("message"), text);
}
