// The page: music goes to the engine as it plays, and what comes back is drawn.

import { decode, record, Stream } from "./audio.js";
import { Chart } from "./chart.js";

const SILENT = "no music: silence";
const LEAD = 0.6; // seconds that the engine is ahead of the playhead
const element = (id) => document.getElementById(id);
const player = element("player");
const about = await (await fetch("about")).json();
const chart = new Chart(about, { onSeek: seek });

let piece = null; // what plays at the moment
let serial = 0; // of pieces; a decoder that comes too late is ignored

describe();
fillExamples();
resetGenres();
setInterval(feed, 100);
setInterval(stayOpen, (1000 * about.idle_seconds) / 4);
requestAnimationFrame(movePlayhead);

element("file").addEventListener("change", (event) => {
  if (event.target.files[0]) openClip(event.target.files[0], event.target.files[0].name);
  event.target.value = "";
});
element("examples").addEventListener("change", openExample);
element("microphone").addEventListener("click", toggleMicrophone);
element("smoothing").addEventListener("input", (event) => {
  element("smoothing-value").textContent = `${event.target.value} s`;
  if (piece?.steps.length) show();
});
player.addEventListener("seeking", feed);
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    element("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) {
      openClip(event.dataTransfer.files[0], event.dataTransfer.files[0].name);
    }
  });
}

/** Fetch an example, then play and classify it. */
async function openExample(event) {
  const file = event.target.value;
  if (!file) return;
  stop();
  const mine = serial;
  event.target.value = file;
  const answer = await fetch(`examples/${encodeURIComponent(file)}`).catch(() => null);
  const blob = answer?.ok && (await answer.blob());
  if (mine !== serial) return;
  if (!blob) return say(`${file}: SongNet does not give it; is it still running?`);
  return start(blob, file);
}

function openClip(blob, name) {
  stop();
  return start(blob, name);
}

/** Decode a clip, then play and classify it. */
async function start(blob, name) {
  const mine = serial;
  say("");
  let clip;
  try {
    clip = await decode(await blob.arrayBuffer());
  } catch {
    return mine === serial && say(`${name}: this browser finds no audio in it.`);
  }
  if (mine !== serial) return;
  if (clip.seconds > about.max_seconds) {
    return say(`${name}: longer than ${about.max_seconds / 3600} hours.`);
  }
  begin(clip.rate, clip.seconds);
  Object.assign(piece, { clip, sent: 0 });
  player.src = URL.createObjectURL(blob);
  player.hidden = false;
  player.play().catch(() => {}); // where a page may not begin to play, the user presses play
}

async function toggleMicrophone() {
  if (piece?.microphone) {
    piece.microphone.stop();
    piece.stream.end();
    piece.microphone = null;
    return element("microphone").setAttribute("aria-pressed", "false");
  }
  stop();
  const mine = serial;
  say("");
  try {
    const microphone = await record((samples) => piece?.microphone === microphone && piece.stream.send(samples));
    if (mine !== serial) return microphone.stop();
    begin(microphone.rate, null);
    piece.microphone = microphone;
    element("microphone").setAttribute("aria-pressed", "true");
  } catch (error) {
    say(`The microphone cannot be used: ${error.message}`);
  }
}

/** Begin a piece of music. */
function begin(rate, seconds) {
  const mine = { steps: [], now: [], told: null, microphone: null, clip: null };
  mine.stream = new Stream(rate, {
    onSteps(steps) {
      if (piece !== mine || !steps.length) return;
      mine.steps.push(...steps);
      chart.addSpectrogram(steps);
      show();
    },
    onEnd() {
      document.body.dataset.state = "ended";
    },
    onError(problem) {
      if (piece !== mine) return;
      say(problem);
      mine.microphone?.stop();
      mine.microphone = null;
      unmark();
      document.body.dataset.state = "ended";
    },
  });
  piece = mine;
  document.body.dataset.state = "hearing";
  chart.reset(seconds);
}

/** End the piece at hand. */
function stop() {
  serial++;
  if (piece) {
    piece.stream.close();
    piece.microphone?.stop();
  }
  piece = null;
  unmark();
  player.pause();
  player.hidden = true;
  if (player.src) URL.revokeObjectURL(player.src);
  player.removeAttribute("src");
  resetGenres();
  document.body.dataset.state = "idle";
}

/** Nothing is chosen any more, so that the same can be chosen again. */
function unmark() {
  element("microphone").setAttribute("aria-pressed", "false");
  element("examples").selectedIndex = 0;
}

/** The engine ends a conversation in which nothing is said; music that is paused will go on. */
function stayOpen() {
  if (piece?.clip && piece.sent !== null) piece.stream.stay();
}

/** Send what the playhead has reached. What is skipped is sent at once, so that nothing is unheard. */
function feed() {
  const clip = piece?.clip;
  if (!clip || piece.sent === null || !piece.stream.ready) return;
  const reached = Math.min(clip.samples.length, Math.ceil((player.currentTime + LEAD) * clip.rate));
  if (player.currentTime === 0 && player.paused) return;
  // Ten seconds at a time: the page stays alive while a long jump is made up for.
  const until = Math.min(reached, piece.sent + 10 * clip.rate);
  if (until > piece.sent) {
    piece.stream.send(clip.samples.subarray(piece.sent, until));
    piece.sent = until;
  }
  if (piece.sent === clip.samples.length) {
    piece.stream.end();
    piece.sent = null;
  }
}

function seek(seconds) {
  if (!piece?.clip) return;
  player.currentTime = Math.min(seconds, piece.clip.seconds);
  feed();
}

/** Draw what is known. */
function show() {
  piece.now = smoothed(piece.steps.map((step) => step.now));
  // Before the first sound, probabilities mean nothing.
  const shown = piece.now.map((row, i) => (piece.steps[i].silent ? row.map(() => null) : row));
  chart.draw(piece.steps.map((step) => step.seconds), shown);
  pronounce(element("overall"), piece.steps.at(-1).overall, piece.steps.at(-1).silent);
  piece.told = null;
  tellNow();
}

/** Say what is played: the last step, or an earlier one where the playhead went back. */
function tellNow() {
  const steps = piece.clip ? Math.floor((player.currentTime + LEAD) / about.step_seconds) : Infinity;
  const place = Math.min(Math.max(steps, 1), piece.now.length) - 1;
  if (place === piece.told || place < 0) return;
  piece.told = place;
  pronounce(element("now"), piece.now[place], piece.steps[place].silent);
  if (!piece.steps[place].silent) fillGenres(piece.now[place], piece.steps.at(-1).overall);
}

/** Mean over the last seconds: the future is not known yet. */
function smoothed(rows) {
  const window = Math.max(1, Math.round(element("smoothing").value / about.step_seconds));
  const sums = new Array(about.genres.length).fill(0);
  return rows.map((row, i) => {
    const gone = i >= window ? rows[i - window] : null;
    const count = Math.min(i + 1, window);
    return row.map((p, g) => (sums[g] += p - (gone ? gone[g] : 0)) / count);
  });
}

function pronounce(place, probabilities, silent) {
  if (silent) {
    if (place.textContent !== SILENT) place.textContent = SILENT;
    place.style.borderColor = "transparent";
    delete place.dataset.genre;
    return;
  }
  const order = about.genres.map((_, g) => g).sort((a, b) => probabilities[b] - probabilities[a]);
  const [first, second] = order;
  const unsure = probabilities[first] - probabilities[second] < about.close_call;
  const genre = about.genres[first];
  const text = unsure ? `unsure: ${genre} or ${about.genres[second]}?` : genre;
  // Only a new text is read out.
  if (place.textContent !== text) place.textContent = text;
  place.style.borderColor = unsure ? "transparent" : about.colours[genre];
  place.dataset.genre = genre;
}

function fillGenres(now, soFar) {
  about.genres.forEach((genre, g) => {
    const cells = element("genres").tBodies[0].rows[g].cells;
    [now[g], soFar[g]].forEach((p, i) => {
      const [number, bar] = cells[i + 1].children;
      number.textContent = `${(100 * p).toFixed(0)} %`;
      bar.style.width = `${60 * p}%`;
    });
  });
}

function resetGenres() {
  const body = element("genres").tBodies[0];
  body.replaceChildren(
    ...about.genres.map((genre) => {
      const row = document.createElement("tr");
      const colour = about.colours[genre];
      row.innerHTML = `<th scope="row"><i></i></th>` + `<td><span>–</span><i></i></td>`.repeat(2);
      row.cells[0].append(genre);
      row.querySelectorAll("i").forEach((mark) => (mark.style.background = colour));
      row.querySelectorAll("td i").forEach((bar) => (bar.style.width = "0"));
      return row;
    }),
  );
  for (const id of ["now", "overall"]) {
    element(id).textContent = "–";
    element(id).style.borderColor = "transparent";
    delete element(id).dataset.genre;
  }
}

function fillExamples() {
  const select = element("examples");
  select.disabled = !about.examples.length;
  select.closest("label").hidden = !about.examples.length;
  for (const example of about.examples) {
    select.add(new Option(`${example.genre}: ${example.credit}`, example.file));
  }
}

function describe() {
  const step = `A step is ${about.step_seconds.toFixed(2)} s.`;
  const where = `Music goes to ${location.host} and nowhere else, and is not kept.`;
  element("about").textContent = `${about.description} ${step} ${where}`;
}

function movePlayhead() {
  if (piece?.clip) {
    chart.movePlayhead(player.currentTime);
    tellNow();
  }
  requestAnimationFrame(movePlayhead);
}

function say(text) {
  element("message").textContent = text;
}
