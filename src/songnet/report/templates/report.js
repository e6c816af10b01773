"use strict";
const data = JSON.parse(document.getElementById("values").textContent);
const element = (id) => document.getElementById(id);
const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
const narrow = () => document.documentElement.clientWidth < 640;
const quiet = { displayModeBar: false };
const names = Object.keys(data.titles);
const protocols = Object.keys(data.parts);
// On a phone long names take two or three lines; plotly's texts are a small HTML, so they are escaped.
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const wrapped = (text, width) => escaped(text).split(" ").reduce((lines, word) => {
  const last = lines.length - 1;
  if (last >= 0 && (lines[last] + word).length < width) lines[last] += ` ${word}`;
  else lines.push(word);
  return lines;
}, []).join("<br>");
const label = (name) => wrapped(data.titles[name], narrow() ? 16 : 40);

function draw(id, traces, layout) {
  const node = element(id);
  if (!node) return;
  const base = {
    autosize: true, dragmode: false, hovermode: "closest", paper_bgcolor: "transparent", plot_bgcolor: "transparent",
    font: { family: "system-ui, sans-serif", size: narrow() ? 11 : 13 },
    margin: { l: 8, r: 16, t: 8, b: 40 }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
  };
  for (const [name, axis] of Object.entries(layout)) {
    if (!/^[xy]axis/.test(name)) continue;
    Object.assign(axis, { fixedrange: true, automargin: true });
    if (axis.title) axis.title = { standoff: 8, font: { size: base.font.size }, ...axis.title };
  }
  Plotly.react(node, traces, { ...base, ...layout }, quiet);
}

function fill(id, options, chosen) {
  const select = element(id);
  if (!select) return;
  for (const [value, text] of options) select.add(new Option(text, value, false, value === chosen));
  select.disabled = options.length < 2;
}

function drawAccuracy() {
  const shown = protocols.filter((protocol) => data.parts[protocol] === "test");
  const place = (name, k) => names.length - 1 - names.indexOf(name) + 0.2 * ((shown.length - 1) / 2 - k);
  const traces = shown.map((protocol, k) => {
    const rows = data.results.filter((row) => row.protocols[protocol]);
    const cells = rows.map((row) => row.protocols[protocol]);
    return {
      name: protocol, mode: "markers", x: cells.map((cell) => 100 * cell.accuracy), y: rows.map((row) => place(row.model, k)),
      error_x: {
        type: "data", symmetric: false, thickness: 1.5, width: 3,
        array: cells.map((cell) => 100 * (cell.ci_high - cell.accuracy)),
        arrayminus: cells.map((cell) => 100 * (cell.accuracy - cell.ci_low)),
      },
      marker: { color: data.colours.protocols[protocol], size: 9 },
      text: rows.map((row, i) => `${escaped(row.title)}, ${protocol}: ${percent(cells[i].accuracy)} [${percent(cells[i].ci_low)}, ${percent(cells[i].ci_high)}]`),
      hovertemplate: "%{text}<extra></extra>",
    };
  });
  const poster = data.results.filter((row) => data.comparable && row.poster !== null);
  if (poster.length) {
    traces.push({
      name: "poster", mode: "markers", x: poster.map((row) => 100 * row.poster), y: poster.map((row) => place(row.model, (shown.length - 1) / 2)),
      marker: { symbol: "x-thin", size: 9, line: { width: 2, color: "#888" } }, text: poster.map((row) => row.poster_protocol), hovertemplate: "poster, %{text} split: %{x:.2f} %<extra></extra>",
    });
  }
  draw("accuracy", traces, {
    height: 90 + names.length * (narrow() ? 46 : 42),
    xaxis: { range: [0, 101], title: { text: "test accuracy in %" }, zeroline: false },
    yaxis: { tickvals: names.map((name) => place(name, (shown.length - 1) / 2)), ticktext: names.map(label), range: [-0.6, names.length - 0.4], zeroline: false },
  });
}

// Genres: confusion and scores of one model under one protocol, in a chosen order.

function genreOrder(values, order) {
  const called = (i) => values.counts.reduce((sum, row) => sum + row[i], 0);
  const keys = { name: (i) => i, recall: (i) => values.recall[i] ?? 2, called: (i) => -called(i) };
  return data.genres.map((_, i) => i).sort((a, b) => keys[order](a) - keys[order](b));
}

function drawGenres() {
  const protocol = element("protocol").value;
  const model = element("model").value;
  const values = data.values[protocol][model];
  const order = genreOrder(values, element("order").value);
  drawConfusion(values, order);
  const baseline = data.baselines[protocol];
  const compared = baseline && baseline !== model ? data.values[protocol][baseline] : null;
  drawScores(values, compared, order, model, baseline);
  fillScores(values, compared, order, baseline);
  const found = genreOrder(values, "recall").filter((i) => values.recall[i] !== null);
  const [hardest, easiest] = [found[0], found[found.length - 1]];
  const foundShare = (i) => `${percent(values.recall[i])} found, ${values.recall_low[i] === null ? "of too few artists for an interval" : `interval ${percent(values.recall_low[i])} to ${percent(values.recall_high[i])}`}`;
  const verdict = values.recall[hardest] === 1 ? "every track is found." :
    `${data.genres[hardest]} is the hardest genre (${foundShare(hardest)}), ${data.genres[easiest]} the easiest (${foundShare(easiest)}).`;
  element("genre-text").textContent = `${data.titles[model]}, ${protocol} split, ${data.parts[protocol]} part: ${verdict}`;
}

function drawConfusion(values, order) {
  const genres = order.map((i) => escaped(data.genres[i]));
  const share = (i, j) => values.counts[i][j] / Math.max(1, values.verdicts[i]);
  const cells = (entry) => order.map((i) => order.map((j) => entry(i, j)));
  const dense = narrow() || order.length > 10;
  const text = (i, j) => `${(100 * share(i, j)).toFixed(0)}${dense ? "" : `<br>(${values.counts[i][j]})`}`;
  const ends = [-0.5, order.length - 0.5];
  draw("confusion", [{
    type: "heatmap", x: genres, y: genres, z: cells((i, j) => 100 * share(i, j)), zmin: 0, zmax: 100, colorscale: "Viridis", xgap: 1, ygap: 1,
    showscale: !narrow(), colorbar: { thickness: 10, outlinewidth: 0, ticksuffix: " %" },
    customdata: cells((i, j) => `${values.counts[i][j]} of ${values.verdicts[i]} verdicts on ${escaped(data.genres[i])} tracks, ${percent(share(i, j))},<br>are ${escaped(data.genres[j])}`),
    hovertemplate: "%{customdata}<extra></extra>",
  }, {
    // A heat map's own texts are grey on green.
    type: "scatter", mode: "text", x: genres.flatMap(() => genres), y: genres.flatMap((genre) => genres.map(() => genre)), text: cells(text).flat(),
    textfont: { size: dense ? 10 : 11, color: cells((i, j) => data.colours.texts[Math.round(100 * share(i, j))]).flat() }, hoverinfo: "skip", showlegend: false,
  }], {
    height: Math.max(260, 130 + order.length * (narrow() ? 36 : 52)), margin: { l: 8, r: 8, t: 8, b: 8 },
    xaxis: { title: { text: "called" }, showgrid: false, type: "category", range: ends },
    yaxis: { title: { text: narrow() ? "" : "true genre" }, range: [...ends].reverse(), showgrid: false, type: "category" },
  });
}

function drawScores(values, compared, order, model, baseline) {
  const genres = order.map((i) => escaped(data.genres[i]));
  const traces = [];
  ["recall", "precision"].forEach((score, k) => {
    const axes = k ? { xaxis: "x2", yaxis: "y2" } : {};
    const share = (from, i) => (from[score][i] === null ? null : 100 * from[score][i]);
    const shares = (from) => order.map((i) => share(from, i));
    if (compared) {
      traces.push({
        ...axes, mode: "lines", showlegend: false, hoverinfo: "skip", line: { color: "#999", width: 2 },
        x: order.flatMap((i) => [share(values, i), share(compared, i), null]), y: genres.flatMap((genre) => [genre, genre, null]),
      }, {
        ...axes, mode: "markers", name: escaped(data.titles[baseline]), showlegend: !k, x: shares(compared), y: genres,
        marker: { symbol: "circle-open", size: 10, color: "#999", line: { width: 2 } }, hovertemplate: `%{y}: ${score} %{x:.1f} %<extra>${escaped(data.titles[baseline])}</extra>`,
      });
    }
    traces.push({
      ...axes, mode: "markers", name: escaped(data.titles[model]), showlegend: !k, x: shares(values), y: genres,
      ...(k ? {} : { error_x: { symmetric: false, array: order.map((i) => 100 * ((values.recall_high[i] ?? values.recall[i]) - values.recall[i])), arrayminus: order.map((i) => 100 * (values.recall[i] - (values.recall_low[i] ?? values.recall[i]))), width: 0, thickness: 1.5 } }),
      marker: { size: 10, color: data.colours.protocols[element("protocol").value] }, hovertemplate: `%{y}: ${score} %{x:.1f} %<extra>${escaped(data.titles[model])}</extra>`,
    });
  });
  const scale = (title) => ({ range: [-3, 103], nticks: narrow() ? 4 : 6, title: { text: title }, zeroline: false });
  draw("scores", traces, {
    height: 120 + order.length * 28,
    xaxis: { ...scale("recall in %"), domain: [0, 0.46] }, xaxis2: { ...scale("precision in %"), domain: [0.54, 1] },
    yaxis: { autorange: "reversed", type: "category" },
    yaxis2: { autorange: "reversed", type: "category", anchor: "x2", showticklabels: false, matches: "y" },
  });
}

function fillScores(values, compared, order, baseline) {
  const table = element("scores-table");
  table.replaceChildren();
  const row = (texts, kind) => {
    const line = table.insertRow();
    texts.forEach((text, i) => {
      const cell = document.createElement(i && kind !== "th" ? "td" : "th");
      cell.textContent = text;
      if (i) cell.className = "n";
      line.append(cell);
    });
  };
  // Adding 0 turns −0 into 0.
  const points = (number) => (Number(number.toFixed(1)) + 0).toFixed(1).replace(/^(?=\d)/, "+").replace("-", "−");
  const difference = (score, i) => (values[score][i] === null || compared[score][i] === null ? "–" : points(100 * (values[score][i] - compared[score][i])));
  const interval = (i) => (values.recall_low[i] === null ? "–" : `${percent(values.recall_low[i])} to ${percent(values.recall_high[i])}`);
  row(["genre", "verdicts", "artists", "recall", "interval", ...(compared ? ["± baseline"] : []), "precision", ...(compared ? ["± baseline"] : []), "F1"], "th");
  for (const i of order) {
    row([
      data.genres[i], values.verdicts[i], values.effective_artists[i]?.toFixed(0) ?? "–", percent(values.recall[i]), interval(i), ...(compared ? [difference("recall", i)] : []),
      percent(values.precision[i]), ...(compared ? [difference("precision", i)] : []), percent(values.f1[i]),
    ]);
  }
  const against = compared ? ` ± points against the baseline that validates best: ${data.titles[baseline]}.` : "";
  element("scores-text").textContent = `Artists: how many with equally many tracks would say as much; of few, the interval is too narrow.${against}`;
}

function drawCurves() {
  const runs = data.curves.filter((run) => run.model === element("trained").value);
  const seen = new Set();
  const traces = runs.flatMap((run) => {
    const colour = data.colours.protocols[run.protocol];
    const about = `${run.split}, seed ${run.seed}`;
    const line = (y, extra) => ({ x: run.epoch, y, mode: run.epoch.length > 1 ? "lines" : "markers", showlegend: false, line: { color: colour, width: 1.5 }, marker: { color: colour }, hovertemplate: `epoch %{x}: %{y:.3g}<extra>${about}</extra>`, ...extra });
    const accuracy = run.validation_accuracy.map((share) => 100 * share);
    const kept = run.epoch.indexOf(run.kept.at(-1));
    const dot = { x: [run.epoch[kept]], legendgroup: run.protocol, mode: "markers", marker: { color: colour, size: 9 } };
    const first = !seen.has(run.protocol);
    seen.add(run.protocol);
    return [
      line(run.train_loss, { name: run.protocol, legendgroup: run.protocol, showlegend: first }),
      line(run.validation_loss, { legendgroup: run.protocol, line: { color: colour, width: 1.5, dash: "dot" } }),
      line([run.validation_loss[kept]], dot),
      line(accuracy, { legendgroup: run.protocol, xaxis: "x2", yaxis: "y2" }),
      line([accuracy[kept]], { ...dot, xaxis: "x2", yaxis: "y2" }),
    ];
  });
  const beside = !narrow();
  draw("curves", traces, {
    height: beside ? 340 : 560,
    xaxis: { title: { text: "epoch" }, domain: beside ? [0, 0.46] : [0, 1], zeroline: false, anchor: "y" },
    yaxis: { title: { text: "loss" }, domain: beside ? [0, 1] : [0.58, 1], zeroline: false },
    xaxis2: { title: { text: "epoch" }, domain: beside ? [0.54, 1] : [0, 1], zeroline: false, anchor: "y2" },
    yaxis2: { title: { text: "validation accuracy in %" }, domain: beside ? [0, 1] : [0, 0.42], anchor: "x2", zeroline: false },
  });
}

function drawHeard() {
  const lines = data.heard.filter((line) => line.protocol === element("heard-protocol").value);
  const networks = within(data.heard, "model");
  const traces = lines.flatMap((line) => {
    const colour = data.colours.models[networks.indexOf(line.model) % data.colours.models.length];
    const shares = (values) => values.map((share) => 100 * share);
    return [
      { x: [...line.seconds, ...[...line.seconds].reverse()], y: shares([...line.ci_high, ...[...line.ci_low].reverse()]), fill: "toself", fillcolor: `${colour}26`, mode: "none", showlegend: false, hoverinfo: "skip" },
      { x: line.seconds, y: shares(line.accuracy), mode: "lines+markers", name: escaped(data.titles[line.model]), line: { color: colour, width: 2 }, hovertemplate: `%{x} s: %{y:.1f} %<extra>${escaped(data.titles[line.model])}</extra>` },
    ];
  });
  const ticks = [...new Set(lines.flatMap((line) => line.seconds))].sort((a, b) => a - b);
  draw("seconds", traces, {
    height: 360,
    xaxis: { type: "log", tickvals: ticks, ticktext: ticks.map(String), title: { text: "seconds heard" } },
    yaxis: { title: { text: `${lines[0].part} accuracy in %` }, zeroline: false },
  });
}

function drawRuntime() {
  const rules = data.runtime.map((row) => `${row.rule} × ${row.jobs}`);
  const bars = (key, colour, axes) => ({
    type: "bar", orientation: "h", x: data.runtime.map((row) => row[key]), y: rules, marker: { color: colour }, showlegend: false,
    texttemplate: "%{x:,.0f}", textposition: "outside", cliponaxis: false, hovertemplate: "%{y}: %{x:,.1f}<extra></extra>", ...axes,
  });
  const most = (key) => [0, (narrow() ? 1.6 : 1.25) * Math.max(...data.runtime.map((row) => row[key]))];
  draw("runtime", [bars("seconds", "#0072B2", {}), bars("peak", "#D55E00", { xaxis: "x2", yaxis: "y2" })], {
    height: 90 + 26 * rules.length, bargap: 0.3,
    xaxis: { title: { text: "seconds" }, domain: [0, 0.48], range: most("seconds"), nticks: 4 },
    xaxis2: { title: { text: "MB" }, domain: [0.54, 1], range: most("peak"), nticks: 4 },
    yaxis: { type: "category", dtick: 1, ticks: "outside", tickcolor: "transparent" }, yaxis2: { type: "category", anchor: "x2", showticklabels: false, matches: "y" },
  });
}

function sortBy(button) {
  const head = button.closest("th");
  const body = head.closest("table").tBodies[0];
  // Names start at A, figures with the largest; another click turns the order.
  const sorted = head.getAttribute("aria-sort");
  const ascending = sorted ? sorted === "descending" : head.cellIndex === 0;
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const key = (row) => row.cells[head.cellIndex].dataset.value;
  const compare = head.cellIndex ? (a, b) => key(a) - key(b) : (a, b) => key(a).localeCompare(key(b));
  const rows = [...body.rows].sort(compare);
  body.append(...(ascending ? rows : rows.reverse()));
}

function drawAll() {
  if (protocols.some((protocol) => data.parts[protocol] === "test")) drawAccuracy();
  drawGenres();
  if (data.curves.length) drawCurves();
  if (data.heard.length) drawHeard();
  drawRuntime();
}

const titled = (models) => models.map((name) => [name, data.titles[name]]);
const within = (rows, key) => [...new Set(rows.map((row) => row[key]))];
fill("model", titled(names), data.chosen);
fill("protocol", protocols.map((name) => [name, name]), protocols[0]);
fill("trained", titled(within(data.curves, "model")), data.chosen);
fill("heard-protocol", protocols.filter((name) => within(data.heard, "protocol").includes(name)).map((name) => [name, name]), protocols[0]);
for (const id of ["model", "protocol", "order"]) element(id).onchange = drawGenres;
if (data.curves.length) element("trained").onchange = drawCurves;
if (data.heard.length) element("heard-protocol").onchange = drawHeard;
for (const button of document.querySelectorAll(".sortable button")) button.onclick = () => sortBy(button);
let timer;
const drawnAt = () => document.documentElement.clientWidth;
let width = drawnAt();
window.addEventListener("resize", () => {
  if (drawnAt() === width) return;
  width = drawnAt();
  clearTimeout(timer);
  timer = setTimeout(drawAll, 100);
});
// Paper is narrower than most windows.
const onPaper = (size) => document.querySelectorAll(".chart").forEach((node) => { if (node.data) Plotly.relayout(node, size); });
window.addEventListener("beforeprint", () => onPaper({ autosize: false, width: 660 }));
window.addEventListener("afterprint", () => { onPaper({ autosize: true, width: null }); drawAll(); });
drawAll();

// Snakemake's report keeps each page in a folder of its own, away from its neighbours.
if (location.protocol === "data:" || /\/data\/raw\/[0-9a-f]{16,64}\/[^/]*$/.test(location.pathname)) {
  document.querySelectorAll("nav a.out").forEach((link) => link.remove());
}
