// Puts the page together and listens to its controls.
const DATASETS = Object.keys(DATA.datasets), DRIFTS = Object.keys(DATA.drifts);
const MODES = ["auto", "light", "dark"], SIGNS = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" };

function applyTheme(mode) {
  const isDark = mode === "dark" || (mode === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.toggleAttribute("data-dark", isDark);
  DRIFTS.forEach((drift, i) => document.documentElement.style.setProperty(`--drift-${i}`, colour(drift)));
  $("#theme").textContent = SIGNS[mode];
  set("theme", mode);
}

function remembered() {
  try { return localStorage.getItem("gmdwgf-theme") ?? "auto"; } catch { return "auto"; }
}

function startTheme() {
  applyTheme(remembered());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => applyTheme(state.theme));
  $("#theme").addEventListener("click", () => {
    const mode = MODES[(MODES.indexOf(state.theme) + 1) % MODES.length];
    try { localStorage.setItem("gmdwgf-theme", mode); } catch { /* a browser that keeps nothing for files */ }
    applyTheme(mode);
  });
}

function drawOverview() {
  $("#matrix").replaceChildren(
    html("tr", {}, html("th"), DATASETS.map((name) => html("th", {}, html("a", { href: toSection(name) }, name)))),
    ...DRIFTS.map((drift) => html("tr", {}, html("th", {}, driftLabel(drift)), DATASETS.map((dataset) => html("td", {}, bestCell(drift, dataset))))));
  const used = new Set(DATA.cells.map((cell) => cell.verdict));
  $("#verdicts").replaceChildren(
    "Best setting of each drift: the gap over the seeds, mean ± sd (MMD² in runs of versions without the gap). The floor's edge is what fresh data scores, mean + 2 sd. These words are ours:",
    ...Object.entries(DATA.verdicts).filter(([name]) => used.has(name)).flatMap(([name, text]) => [html("br"), html("span", { class: `verdict ${name}` }), text]));
  $("#findings").replaceChildren(...DRIFTS.map((drift) => html("li", { style: { "--c": driftVariable(drift) } }, html("b", {}, drift),
    DATA.drifts[drift].what && [" ", html("span", { class: "hint" }, `${DATA.drifts[drift].what}.`)], html("br"), DATA.drifts[drift].finding)));
}

// What the overview says of a drift on a dataset: its best setting.
function bestCell(drift, dataset) {
  const cells = DATA.cells.filter((cell) => cell.dataset === dataset && cell.drift === drift), cell = cells.find((c) => c.best);
  if (!cell) return null;
  const run = RUNS.get(cell.runs[0]), lost = cells.reduce((sum, c) => sum + c.lost.diverged + c.lost.failed, 0), all = cells.reduce((sum, c) => sum + c.runs.length, 0);
  const much = cell.ratio > 1 ? `, ${number(Number(cell.ratio.toPrecision(2)))}× floor` : "";
  const value = cell.mean === null ? "" : `${number(cell.mean)}${cell.sd === null ? "" : ` ± ${number(cell.sd)}`}`;
  const modes = run.state === "done" && run.values.covered !== undefined ? `${number(run.values.covered)}/${number(run.values.n_modes)} modes` : "";
  return html("a", { href: toRun(run.id) }, html("span", { class: `verdict ${cell.verdict}` }, `${VERDICT_WORDS[cell.verdict]}${much}`),
    small(cell.caption), small([value, modes].filter(Boolean).join(", ")), lost > 0 && small(`${lost} of ${all} runs lost`));
}

function legend() {
  const lines = (drift) => ({ stroke: driftVariable(drift), "stroke-width": "2.5", "stroke-dasharray": DATA.drifts[drift].dash.map((d) => 2 * d).join() });
  return html("div", { class: "legend" },
    DRIFTS.map((drift) => html("button", { "data-drift": drift, "aria-pressed": "true" },
      svg("svg", { viewBox: "0 0 26 8" }, svg("line", { x1: 0, x2: 26, y1: 4, y2: 4, style: lines(drift) })), drift)),
    html("span", { class: "fresh" }, svg("svg", { viewBox: "0 0 26 8" }, svg("rect", { class: "floor", width: 26, height: 8 })), "fresh data (floor, mean ± 2 sd)"),
    html("label", {}, html("input", { type: "checkbox", class: "all", checked: true }), " all settings"));
}

function plane(dim) {
  if (dim === 1) return "one-dimensional: the points are spread out upwards so that they do not hide each other";
  return dim > 2 ? `${dim} dimensions: shown are the first two principal components of the data` : "";
}

function sectionOf(dataset) {
  const drifts = DRIFTS.filter((drift) => DATA.cells.some((cell) => cell.dataset === dataset && cell.drift === drift));
  return html("section", { id: sectionId(dataset), "data-set": dataset },
    html("h2", {}, `${dataset} `, html("small", { class: "hint" }, plane(DATA.datasets[dataset].dim))), legend(),
    html("div", { class: "charts" }, html("div", { class: "card curves" }), html("div", { class: "card strips" })),
    drifts.map((drift) => html("div", { class: "row" }, html("header", {}, driftLabel(drift), small(DATA.drifts[drift].what)),
      html("div", { class: "panels", "data-set": dataset, "data-drift": drift }))));
}

function drawSections() {
  $("#datasets").replaceChildren(...DATASETS.map(sectionOf), html("p", { class: "hint" },
    "Grey: held-out data; colour: samples; the framed panel is the drift's best setting, the number its gap. MMD² is estimated without bias, so near 0 it falls on both sides of it: its axis is linear within the floor and logarithmic beyond. Samples of one run come from the same noise at every step; between the steps that were kept they move in straight lines."));
  $("#datasets").addEventListener("click", (event) => {
    const drift = event.target.closest("[data-drift]")?.dataset.drift;
    if (!drift || !event.target.closest(".legend")) return;
    state.hidden.has(drift) ? state.hidden.delete(drift) : state.hidden.add(drift);
    document.querySelectorAll(".legend button").forEach((button) => button.setAttribute("aria-pressed", !state.hidden.has(button.dataset.drift)));
    set("hidden", state.hidden);
  });
  $("#datasets").addEventListener("change", (event) => {
    if (!event.target.matches(".all")) return;
    document.querySelectorAll(".legend .all").forEach((box) => (box.checked = event.target.checked));
    set("all", event.target.checked);
  });
}

function startScrubber() {
  const scrub = $("#scrub"), play = $("#play");
  scrub.max = Math.max(STEPS.length - 1, 0);
  let before = null;
  const follow = () => { scrub.value = state.position; $("#step").textContent = `step ${Math.round(stepAt(state.position))}`; };
  const stop = () => { before = null; play.textContent = "▶"; play.setAttribute("aria-label", "play"); };
  const tick = (now) => {
    if (before === null) return;
    const position = state.position + (now - before) / 900; // a little less than a second between kept steps
    before = now;
    set("position", Math.min(position, STEPS.length - 1));
    position < STEPS.length - 1 ? requestAnimationFrame(tick) : stop();
  };
  const toggle = () => {
    if (before !== null) return stop();
    if (state.position >= STEPS.length - 1) set("position", 0);
    before = performance.now();
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "stop");
    requestAnimationFrame(tick);
  };
  on("position", follow);
  follow();
  play.addEventListener("click", toggle);
  scrub.addEventListener("input", () => { stop(); set("position", Number(scrub.value)); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.closest("input, select, button, a, dialog")) return;
    event.preventDefault();
    toggle();
  });
}

function startChoices() {
  const seeds = [...new Set(DATA.runs.map((run) => run.seed))].filter((seed) => seed !== null).sort((a, b) => compare(a, b, 1));
  state.seed = seeds.length ? seeds[0] : null;
  $("#seed").replaceChildren(...seeds.map((seed, place) => html("option", { value: place }, String(seed))));
  $("#seed").addEventListener("change", (event) => set("seed", seeds[event.target.value]));
  $("#metric").replaceChildren(...Object.entries(DATA.metrics).map(([key, [name]]) => html("option", { value: key, selected: key === state.metric }, name)));
  $("#metric").addEventListener("change", (event) => set("metric", event.target.value));
}

$("h1").textContent = DATA.title;
$("#summary").textContent = `${DATA.summary} · ${DRIFTS.length} drift${DRIFTS.length === 1 ? "" : "s"}, ${DATASETS.length} dataset${DATASETS.length === 1 ? "" : "s"}, seeds ${[...new Set(DATA.runs.map((run) => run.seed))].sort((a, b) => compare(a, b, 1)).join(", ")}`;
$("#note").textContent = DATA.note;
$("#links").replaceChildren(...[["#overview", "Overview"], ...DATASETS.map((name) => [toSection(name), name]), ["#runs", "All runs"]].map(([href, name]) => html("a", { href }, name)));
$("#foot").textContent = "Written by python -m gmdwgf.report; this file needs no network.";
startTheme();
startChoices();
drawOverview();
drawSections();
drawCharts();
drawGrids();
startScrubber();
startTable();
startDetail();
document.documentElement.dataset.ready = "true";
