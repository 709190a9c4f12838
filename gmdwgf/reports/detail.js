// One run, opened by its address #run=ID: samples, curve, numbers, the command that makes it and its config.
function configText(run) {
  const tree = {};
  for (const [key, value] of [...Object.entries(DATA.common), ...Object.entries(run.own)]) {
    const path = key.split("."), name = path.pop();
    let node = tree;
    for (const part of path) node = node[part] ??= {};
    node[name] = value;
  }
  const lines = (node, indent) => Object.entries(node).flatMap(([name, value]) =>
    typeof value === "string" ? [`${indent}${name}: ${value}`] : [`${indent}${name}:`, ...lines(value, indent + "  ")]);
  return lines(tree, "").join("\n");
}

function facts(run) {
  const versions = Object.entries(run.versions).filter(([, value]) => value !== null && value !== undefined && value !== false);
  const rows = [
    ["state", `<span class="state ${run.state}">${run.state}</span>${run.step === null ? "" : `, step ${run.step} of ${run.n_steps}`}`],
    ...(run.why ? [["why", esc(run.why)]] : []),
    ...Object.entries(DATA.metrics).filter(([key]) => key in run.values).map(([key, [name, unit, , meaning]]) => {
      const floor = DATA.datasets[run.dataset].floor[key];
      return [`<span title="${esc(meaning)}">${esc(name)}</span>`, number(run.values[key]) + (floor ? ` <small>fresh data: ${number(floor[0])} to ${number(floor[1])}</small>` : "")];
    }),
    ["time", duration(run.seconds)],
    ["started", esc(run.started ?? "–")],
    ["made by", versions.map(([name, value]) => (name === "changed" ? "with uncommitted changes" : `${name} ${esc(name === "commit" ? value.slice(0, 10) : value)}`)).join(", ") || "–"],
    ["files", `<a href="${esc(encodeURI(run.folder))}/">${esc(run.name)}</a>, <a href="${esc(encodeURI(run.folder))}/config.yaml">config.yaml</a>`],
  ];
  return `<dl>${rows.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join("")}</dl>`;
}

function ownCurve(run) {
  const width = 400, height = 190, right = width - 6, low = height - 30, metric = state.metric, values = run.curve[metric];
  if (!values) return "";
  const floor = DATA.datasets[run.dataset].floor[metric], scale = scaleOf(values.filter((v) => v !== null), floor, low, 8);
  const last = Math.max(1, run.n_steps ?? 0, ...run.curve.step), x = (step) => LABEL + (step / last) * (right - LABEL);
  const points = values.map((v, i) => [run.curve.step[i], v]).filter(([step, v]) => v !== null && !(run.end !== null && step >= run.end));
  const line = points.map(([step, v]) => `${x(step).toFixed(1)},${scale.y(v).toFixed(1)}`).join(" ");
  const steps = roundNumbers(0, last).map(([v, label]) => `<text x="${x(v)}" y="${low + 17}" text-anchor="middle">${label}</text>`);
  return `<h3>${esc(metricName())} <small>grey: fresh data</small></h3><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${esc(metricName())} of this run">${frame(width, height, scale, floor, right)}
    <line class="axis" x1="${LABEL}" x2="${right}" y1="${low}" y2="${low}"/>${steps.join("")}<polyline class="line" points="${line}" style="stroke:${driftVariable(run.drift)}"/></svg>`;
}

const copyable = (title, text, className = "") => `<h3>${title}<button class="copy">copy</button></h3><pre class="${className}">${esc(text)}</pre>`;

function openDetail(run) {
  const dialog = $("#detail"), siblings = cellOf.get(run.id).runs.map((id) => RUNS.get(id));
  const seeds = siblings.length > 1 ? siblings.map((other) => (other === run ? `<b>${other.seed}</b>` : `<a href="#run=${other.id}">${other.seed}</a>`)).join(" ") : run.seed;
  dialog.innerHTML = `<div class="head"><h2>${driftLabel(run.drift)} on ${esc(run.dataset)} <small>${esc(cellOf.get(run.id).caption)}</small></h2><span>seed ${seeds}</span><button class="close" aria-label="close">✕</button></div>
    <div class="body"><div><div class="frame" data-run="${run.id}"><canvas></canvas><div class="empty"></div></div>
    <div class="group"><input class="again" type="range" min="0" max="${$("#scrub").max}" step="0.01" value="${state.position}" aria-label="step of training" style="flex:1"><output></output></div>
    ${ownCurve(run)}</div>
    <div>${facts(run)}${run.command ? copyable("The command of this run", run.command, "wrap command") : ""}${run.typed ? copyable("What was typed", run.typed, "wrap") : ""}${copyable("config.yaml", configText(run), "config")}</div></div>`;
  const again = $(".again", dialog);
  again.addEventListener("input", () => set("position", Number(again.value)));
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
    const area = element("<textarea style='position:fixed;opacity:0'></textarea>");
    area.value = text;
    $("#detail").append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "copied";
  setTimeout(() => (button.textContent = "copy"), 1200);
}

function followAddress() {
  const run = RUNS.get(location.hash.replace(/^#run=/, ""));
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
