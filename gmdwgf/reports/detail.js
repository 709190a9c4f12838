// One run, opened by its address #run=ID: samples, curve, numbers, the command that makes it and its config.
function configText(run) {
  const tree = new Map(); // a key may have any name, also that of what every object has
  for (const [key, value] of [...Object.entries(DATA.common), ...Object.entries(run.own)]) {
    const words = key.split("."), name = words.pop();
    let node = tree;
    for (const word of words) {
      if (!(node.get(word) instanceof Map)) node.set(word, new Map());
      node = node.get(word);
    }
    node.set(name, value);
  }
  const lines = (node, indent) => [...node].flatMap(([name, value]) =>
    value instanceof Map ? [`${indent}${name}:`, ...lines(value, indent + "  ")] : [`${indent}${name}: ${value}`]);
  return lines(tree, "").join("\n");
}

function facts(run) {
  const versions = Object.entries(run.versions).filter(([, value]) => value !== null && value !== undefined && value !== false);
  const made = versions.map(([name, value]) => (name === "changed" ? "with uncommitted changes" : `${name} ${name === "commit" ? String(value).slice(0, 10) : value}`));
  const rows = [
    ["state", [stateLabel(run.state), run.step !== null && `, step ${run.step} of ${run.n_steps}`]],
    ...(run.why ? [["why", run.why]] : []),
    ...run.warnings.map((line) => ["warning", line]),
    ...Object.entries(DATA.metrics).filter(([key]) => key in run.values).map(([key, [name, , , meaning]]) => {
      const floor = DATA.datasets[run.dataset].floor[key];
      return [html("span", { title: meaning }, name), [number(run.values[key]), floor && [" ", small(`fresh data: ${number(floor[0])} to ${number(floor[1])}`)]]];
    }),
    ["time", duration(run.seconds)],
    ["started", run.started ?? "–"],
    ["made by", made.join(", ") || "–"],
    ["files", [html("a", { href: fileOf(run.folder) }, run.name), ", ", html("a", { href: fileOf(run.folder, "config.yaml") }, "config.yaml")]],
  ];
  return html("dl", {}, rows.map(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]));
}

function ownCurve(run) {
  const width = 400, height = 190, right = width - 6, low = height - 30, metric = state.metric, values = run.curve[metric];
  if (!values) return null;
  const floor = DATA.datasets[run.dataset].floor[metric], scale = scaleOf(values.filter((v) => v !== null), floor, low, 8);
  const last = Math.max(1, run.n_steps ?? 0, ...run.curve.step), x = (step) => LABEL + (step / last) * (right - LABEL);
  const shown = values.map((v, i) => [run.curve.step[i], v]).filter(([step, v]) => v !== null && !(run.end !== null && step >= run.end));
  const points = shown.map(([step, v]) => `${x(step).toFixed(1)},${scale.y(v).toFixed(1)}`).join(" ");
  return [
    html("h3", {}, `${metricName()} `, small("grey: fresh data")),
    picture(width, height, `${metricName()} of this run`, frame(scale, floor, right), stepAxis(last, x, low, right, 17),
      svg("polyline", { class: "line", points, style: { stroke: driftVariable(run.drift) } })),
  ];
}

const copyable = (title, text, className) => [html("h3", {}, title, html("button", { class: "copy" }, "copy")), html("pre", { class: className }, text)];

function openDetail(run) {
  const dialog = $("#detail"), siblings = cellOf.get(run.id).runs.map((id) => RUNS.get(id));
  const seeds = siblings.length > 1 ? siblings.map((other) => [other === run ? html("b", {}, other.seed) : html("a", { href: toRun(other.id) }, other.seed), " "]) : [run.seed];
  const again = html("input", { class: "again", type: "range", min: 0, max: $("#scrub").max, step: 0.01, value: state.position, "aria-label": "step of training" });
  again.addEventListener("input", () => set("position", Number(again.value)));
  dialog.replaceChildren(
    html("div", { class: "head" }, html("h2", {}, driftLabel(run.drift), ` on ${run.dataset} `, small(cellOf.get(run.id).caption)),
      html("span", {}, "seed ", seeds), html("button", { class: "close", "aria-label": "close" }, "✕")),
    html("div", { class: "body" },
      html("div", {}, html("div", { class: "frame", "data-run": run.id }, html("canvas"), html("div", { class: "empty" })),
        html("div", { class: "group" }, again, html("output")), ownCurve(run)),
      html("div", {}, facts(run), run.command && copyable("The command of this run", run.command, "wrap command"),
        run.typed && copyable("What was typed", run.typed, "wrap"), copyable("config.yaml", configText(run), "config"))));
  dialog.open || dialog.showModal();
  followPosition();
  redraw();
}

function followPosition() {
  const again = $("#detail .again");
  if (!again) return;
  again.value = state.position;
  $("#detail output").textContent = `step ${Math.round(stepAt(state.position))}`;
}
on("position", followPosition);

async function copy(button) {
  const text = button.closest("h3").nextElementSibling.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = html("textarea", { class: "copied" });
    area.value = text;
    $("#detail").append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "copied";
  setTimeout(() => (button.textContent = "copy"), 1200);
}

function runOfAddress() {
  if (!location.hash.startsWith("#run=")) return undefined;
  try {
    return RUNS.get(decodeURIComponent(location.hash.slice("#run=".length)));
  } catch {
    return undefined; // an address typed by hand
  }
}

function followAddress() {
  const run = runOfAddress();
  if (run) openDetail(run);
  else if ($("#detail").open) $("#detail").close();
}

function startDetail() {
  const dialog = $("#detail");
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest(".close")) dialog.close();
    if (event.target.closest(".copy")) copy(event.target);
  });
  dialog.addEventListener("close", () => { if (location.hash.startsWith("#run=")) history.pushState(null, "", location.pathname + location.search); });
  window.addEventListener("hashchange", followAddress);
  followAddress();
}
