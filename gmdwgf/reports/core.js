// The data of the page, how its nodes are made, small helpers, and the one state that every part looks at.
const DATA = JSON.parse(document.getElementById("data").textContent);
const RUNS = new Map(DATA.runs.map((run) => [run.id, run]));
const $ = (selector, root = document) => root.querySelector(selector);

// Every node of the page is made here, so nothing in the data can be markup: a text is a text node, an attribute is set by
// its name, an address leads within the page or to a file beside it, and a style is one property (the page's policy allows
// no style attribute). `children` are nodes, texts, numbers and lists of them; null, undefined, false and "" are left out.
function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") Object.entries(value).forEach(([property, text]) => node.style.setProperty(property, text));
    else if (name === "href") node.setAttribute(name, address(value));
    else if (name.startsWith("on")) throw new Error("listeners are added, not written");
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return node;
}
const html = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function address(text) {
  if (!/^(#|\.\.?\/)/.test(text)) throw new Error(`no address within the page or beside it: ${text}`);
  return text;
}
const toRun = (id) => `#run=${encodeURIComponent(id)}`;
const toSection = (name) => `#${encodeURIComponent(sectionId(name))}`;
const sectionId = (dataset) => `on ${dataset}`; // no id of the page's own has a space
const fileOf = (folder, file = "") => [".", ...folder.split("/").map(encodeURIComponent), file].join("/");

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const power = (k) => "10" + [...String(k)].map((c) => SUPERSCRIPTS[c]).join("");

function number(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0 || Number.isInteger(value)) return String(value).replace("-", "−");
  const size = Math.abs(value);
  if (size >= 0.001 && size < 1e5) return String(Number(value.toPrecision(3))).replace("-", "−");
  const k = Math.floor(Math.log10(size));
  return `${(value / 10 ** k).toFixed(1).replace("-", "−")}·${power(k)}`;
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// Everything that changes: which metric and seed are shown, where in training the samples are, which drifts have curves.
const state = { metric: DATA.headline in DATA.metrics ? DATA.headline : Object.keys(DATA.metrics)[0], seed: null, position: 0, all: true, hidden: new Set() };
const listeners = {};
const on = (names, listener) => names.split(" ").forEach((name) => (listeners[name] ??= []).push(listener));
function set(name, value) {
  state[name] = value;
  (listeners[name] ?? []).forEach((listener) => listener(value));
}

const dark = () => document.documentElement.hasAttribute("data-dark");
const colour = (drift) => DATA.drifts[drift][dark() ? "on_dark" : "colour"];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const metricName = (name = state.metric) => (DATA.metrics[name] ? DATA.metrics[name][0] : "");

const driftVariable = (drift) => `var(--drift-${Object.keys(DATA.drifts).indexOf(drift)})`;
const driftLabel = (drift) => html("span", { class: "drift", style: { "--c": driftVariable(drift) } }, drift);
const stateLabel = (name) => html("span", { class: `state ${name}` }, name);
const small = (...children) => html("small", {}, ...children);

const VERDICT_WORDS = { floor: "at the floor", close: "close", far: "far", diverged: "diverged", failed: "failed", unfinished: "unfinished" };
function verdictOf(run) {
  if (run.state !== "done") return run.state === "live" ? "unfinished" : run.state;
  const [mean, sd] = run.floor, ratio = run.values[run.headline] / (mean + 2 * sd);
  return ratio <= 1 ? "floor" : ratio <= DATA.near ? "close" : "far";
}
const cellOf = new Map(DATA.cells.flatMap((cell) => cell.runs.map((id) => [id, cell])));

// Samples: 16-bit integers, decoded when they are first looked at. 16383 is the edge of a panel.
function integers(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Int16Array(bytes.buffer);
}
const decoded = new Map();
function cloudOf(run) {
  if (!decoded.has(run.id)) decoded.set(run.id, run.frames && integers(run.frames.x));
  return decoded.get(run.id);
}
const targets = DATA.targets.map(() => null);
const targetOf = (place) => (targets[place] ??= integers(DATA.targets[place]));

const STEPS = [...new Set(DATA.runs.flatMap((run) => (run.frames ? run.frames.steps : []).filter((step) => run.end === null || step < run.end)))].sort((a, b) => a - b);
state.position = Math.max(STEPS.length - 1, 0);
function stepAt(position) {
  const i = Math.min(Math.floor(position), STEPS.length - 1), t = position - i;
  return t > 0 && i + 1 < STEPS.length ? STEPS[i] + t * (STEPS[i + 1] - STEPS[i]) : STEPS[i] ?? 0;
}
