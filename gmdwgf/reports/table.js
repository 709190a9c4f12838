// All runs: sorted by a click on a heading, filtered by words and by state.
const FLOORS = {
  name: "× floor", number: true, shown: (run, value) => (value === null ? "–" : value <= 1 ? "≤ 1" : number(Number(value.toPrecision(2)))),
  value: (run) => (run.state === "done" && run.floor[0] !== null ? run.values[run.headline] / (run.floor[0] + 2 * run.floor[1]) : null),
};
const COLUMNS = [
  { name: "run", value: (run) => run.id, shown: (run) => html("a", { href: toRun(run.id) }, run.id) },
  { name: "state", value: (run) => run.state, shown: (run) => stateLabel(run.state) },
  { name: "dataset", value: (run) => run.dataset },
  { name: "drift", value: (run) => run.drift, shown: (run) => driftLabel(run.drift) },
  ...Object.entries(DATA.keys).map(([key, name]) => ({ name, value: (run) => loose(run.settings[key]) })),
  { name: "seed", value: (run) => run.seed, number: true },
  { name: "step", value: (run) => run.step, number: true },
  ...Object.entries(DATA.metrics).flatMap(([key, [name]]) => [
    { name, value: (run) => run.values[key] ?? null, number: true },
    ...(key === DATA.headline ? [FLOORS] : []),
  ]),
  { name: "time", value: (run) => run.seconds, number: true, shown: (run, value) => duration(value) },
  ...(DATA.runs.some((run) => run.why) ? [{ name: "why", value: (run) => run.why, wide: true }] : []),
];
const loose = (text) => (text === undefined ? null : text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text);
const table = { sort: null, down: false, states: new Set(), words: [] };

const words = new Map(DATA.runs.map((run) => [run.id, [run.id, run.state, run.dataset, run.drift, `seed=${run.seed}`, run.why,
  ...Object.entries(run.settings).flatMap(([key, value]) => [`${DATA.keys[key]}=${value}`, `${key}=${value}`])].join(" ").toLowerCase()]));

function shownRuns() {
  const runs = DATA.runs.filter((run) => (!table.states.size || table.states.has(run.state)) && table.words.every((word) => words.get(run.id).includes(word)));
  if (table.sort === null) return runs;
  const { value } = COLUMNS[table.sort], sign = table.down ? -1 : 1;
  return runs.sort((a, b) => compare(value(a), value(b), sign));
}

// Numbers by size, before words; what is missing last, whichever way the table is sorted.
function compare(a, b, sign) {
  const missing = (v) => v === null || v === undefined || v === "";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  if (typeof a !== typeof b) return sign * (typeof a === "number" ? -1 : 1);
  return sign * (typeof a === "number" ? a - b : String(a).localeCompare(String(b)));
}

function drawTable() {
  const runs = shownRuns();
  $("#table thead").replaceChildren(html("tr", {}, COLUMNS.map((column, i) => html("th",
    { scope: "col", class: column.number && "number", "aria-sort": table.sort === i && (table.down ? "descending" : "ascending") },
    html("button", { "data-column": i }, column.name)))));
  $("#table tbody").replaceChildren(...runs.map((run) => html("tr", { "data-id": run.id }, COLUMNS.map((column) => {
    const value = column.value(run);
    const shown = column.shown ? column.shown(run, value) : typeof value === "number" ? number(value) : value ?? "–";
    return html("td", { class: column.number ? "number" : column.wide && "why" }, shown);
  }))));
  $("#shown").textContent = `${runs.length} of ${DATA.runs.length} runs`;
}

function startTable() {
  const found = [...new Set(DATA.runs.map((run) => run.state))];
  const count = (name) => DATA.runs.filter((run) => run.state === name).length;
  $("#states").replaceChildren(...(found.length < 2 ? [] : found.map((name) => html("button", { "aria-pressed": "false", "data-state": name }, `${name} ${count(name)}`))));
  $("#states").addEventListener("click", (event) => {
    const name = event.target.dataset.state;
    if (!name) return;
    table.states.has(name) ? table.states.delete(name) : table.states.add(name);
    event.target.setAttribute("aria-pressed", table.states.has(name));
    drawTable();
  });
  $("#filter").addEventListener("input", (event) => {
    table.words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    drawTable();
  });
  $("#table thead").addEventListener("click", (event) => {
    if (!event.target.dataset.column) return;
    const column = Number(event.target.dataset.column);
    table.down = table.sort === column && !table.down;
    table.sort = column;
    drawTable();
    $(`#table thead [data-column="${column}"]`).focus();
  });
  drawTable();
}
