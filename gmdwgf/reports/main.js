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
  const head = `<tr><th></th>${DATASETS.map((name) => `<th><a href="#${esc(name)}">${esc(name)}</a></th>`).join("")}</tr>`;
  const rows = DRIFTS.map((drift) => `<tr><th>${driftLabel(drift)}</th>${DATASETS.map((dataset) => {
    const cells = DATA.cells.filter((cell) => cell.dataset === dataset && cell.drift === drift), cell = cells.find((c) => c.best);
    if (!cell) return "<td></td>";
    const run = RUNS.get(cell.runs[0]), lost = cells.reduce((sum, c) => sum + c.lost.diverged + c.lost.failed, 0), all = cells.reduce((sum, c) => sum + c.runs.length, 0);
    const much = cell.ratio > 1 ? `, ${number(Number(cell.ratio.toPrecision(2)))}× floor` : "";
    const value = cell.mean === null ? "" : `${number(cell.mean)}${cell.sd === null ? "" : ` ± ${number(cell.sd)}`}`;
    const modes = run.state === "done" && run.values.covered !== undefined ? `${number(run.values.covered)}/${number(run.values.n_modes)} modes` : "";
    return `<td><a href="#run=${run.id}"><span class="verdict ${cell.verdict}">${VERDICT_WORDS[cell.verdict]}${much}</span>
      <small>${esc(cell.caption)}</small><small>${[value, modes].filter(Boolean).join(", ")}</small>${lost ? `<small>${lost} of ${all} runs lost</small>` : ""}</a></td>`;
  }).join("")}</tr>`);
  $("#matrix").innerHTML = head + rows.join("");
  const used = new Set(DATA.cells.map((cell) => cell.verdict));
  $("#verdicts").innerHTML = `Best setting of each drift: MMD² over the seeds, mean ± sd. The floor's edge is what fresh data scores, mean + 2 sd. These words are ours:<br>`
    + Object.entries(DATA.verdicts).filter(([name]) => used.has(name)).map(([name, text]) => `<span class="verdict ${name}"></span>${esc(text)}`).join("<br>");
  $("#findings").innerHTML = DRIFTS.map((drift) => `<li style="--c:${driftVariable(drift)}"><b>${esc(drift)}</b>${DATA.drifts[drift].what ? ` <span class="hint">${esc(DATA.drifts[drift].what)}.</span>` : ""}<br>${esc(DATA.drifts[drift].finding)}</li>`).join("");
}

function legend() {
  const items = DRIFTS.map((drift) => `<button data-drift="${esc(drift)}" aria-pressed="true"><svg viewBox="0 0 26 8"><line x1="0" x2="26" y1="4" y2="4" style="stroke:${driftVariable(drift)};stroke-width:2.5;stroke-dasharray:${DATA.drifts[drift].dash.map((d) => 2 * d)}"/></svg>${esc(drift)}</button>`);
  return `<div class="legend">${items.join("")}<span style="display:flex;gap:6px;align-items:center"><svg viewBox="0 0 26 8"><rect class="floor" width="26" height="8"/></svg>fresh data (floor, mean ± 2 sd)</span><label><input type="checkbox" class="all" checked> all settings</label></div>`;
}

function plane(dim) {
  if (dim === 1) return "one-dimensional: the points are spread out upwards so that they do not hide each other";
  return dim > 2 ? `${dim} dimensions: shown are the first two principal components of the data` : "";
}

function drawSections() {
  $("#datasets").innerHTML = DATASETS.map((dataset) => `<section id="${esc(dataset)}" data-set="${esc(dataset)}"><h2>${esc(dataset)} <small class="hint">${plane(DATA.datasets[dataset].dim)}</small></h2>${legend()}
    <div class="charts"><div class="card curves"></div><div class="card strips"></div></div>
    ${DRIFTS.filter((drift) => DATA.cells.some((cell) => cell.dataset === dataset && cell.drift === drift)).map((drift) => `<div class="row"><header>${driftLabel(drift)}<small>${esc(DATA.drifts[drift].what)}</small></header>
    <div class="panels" data-set="${esc(dataset)}" data-drift="${esc(drift)}"></div></div>`).join("")}</section>`).join("")
    + `<p class="hint">Grey: held-out data; colour: samples; the framed panel is the drift's best setting, the number its MMD². MMD² is estimated without bias, so near 0 it falls on both sides of it: its axis is linear within the floor and logarithmic beyond. Samples of one run come from the same noise at every step; between the steps that were kept they move in straight lines.</p>`;
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
  const seeds = [...new Set(DATA.runs.map((run) => run.seed))].filter((seed) => seed !== null).sort((a, b) => a - b);
  state.seed = seeds.length ? seeds[0] : null;
  $("#seed").innerHTML = seeds.map((seed) => `<option value="${seed}">${seed}</option>`).join("");
  $("#seed").addEventListener("change", (event) => set("seed", Number(event.target.value)));
  $("#metric").innerHTML = Object.entries(DATA.metrics).map(([key, [name]]) => `<option value="${key}"${key === state.metric ? " selected" : ""}>${esc(name)}</option>`).join("");
  $("#metric").addEventListener("change", (event) => set("metric", event.target.value));
}

$("h1").textContent = DATA.title;
$("#summary").textContent = `${DATA.summary} · ${DRIFTS.length} drift${DRIFTS.length === 1 ? "" : "s"}, ${DATASETS.length} dataset${DATASETS.length === 1 ? "" : "s"}, seeds ${[...new Set(DATA.runs.map((run) => run.seed))].sort((a, b) => a - b).join(", ")}`;
$("#note").textContent = DATA.note;
$("#links").innerHTML = [["overview", "Overview"], ...DATASETS.map((name) => [name, name]), ["runs", "All runs"]].map(([id, name]) => `<a href="#${esc(id)}">${esc(name)}</a>`).join("");
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
