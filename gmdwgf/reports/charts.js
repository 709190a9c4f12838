// Curves over training and final values by setting, as SVG; one scale for both.
const LABEL = 46;

// Linear where values are of one size, logarithmic where all are positive, and else linear around 0 and logarithmic beyond `c`.
function scaleOf(values, floor, low, high) {
  const edges = [...values, ...(floor ?? [])].filter((v) => v !== null && Number.isFinite(v));
  let bottom = Math.min(...edges), top = Math.max(...edges);
  const positive = values.filter((v) => v > 0), least = Math.min(...positive), signed = Math.min(...values) <= 0 || (floor && floor[0] <= 0);
  const c = signed ? Math.max(...(floor ?? []).map(Math.abs), floor ? 0 : least) || least : null;
  let f = (v) => v, ticks;
  if (!edges.length) [bottom, top, ticks] = [0, 1, []];
  else if (!positive.length || top <= 20 * (signed ? c : least)) {
    const room = 0.06 * (top - bottom) || 0.5 * Math.abs(top) || 1;
    [bottom, top] = [bottom - room, top + room];
    ticks = roundNumbers(bottom, top);
  } else {
    f = signed ? (v) => Math.sign(v) * Math.log10(1 + Math.abs(v) / c) : Math.log10;
    [bottom, top] = signed ? [bottom * 1.3, top * 1.3] : [bottom / 1.3, top * 1.3];
    const first = Math.ceil(Math.log10(signed ? c : bottom) - 1e-9), last = Math.floor(Math.log10(top));
    const powers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    ticks = [...(signed ? [[0, "0"]] : []), ...powers.map((k) => [10 ** k, power(k)])];
    if (powers.length < 3 && !signed) ticks.push(...powers.flatMap((k) => [[3 * 10 ** k, number(3 * 10 ** k)]]));
    ticks = ticks.filter(([v]) => v >= bottom && v <= top);
  }
  const [a, b] = [f(bottom), f(top)];
  const y = (v) => low + ((f(Math.min(Math.max(v, bottom), top)) - a) / (b - a)) * (high - low);
  return { y, ticks, kind: signed && f(1) !== 1 ? "signed" : "plain" };
}

function roundNumbers(bottom, top) {
  const raw = (top - bottom) / 4, k = 10 ** Math.floor(Math.log10(raw)), unit = [1, 2, 5, 10].find((u) => u * k >= raw) * k;
  const ticks = [];
  for (let v = Math.ceil(bottom / unit) * unit; v <= top; v += unit) ticks.push([v, number(Number(v.toPrecision(6)))]);
  return ticks;
}

function frame(scale, floor, right) {
  const lines = scale.ticks.map(([v, label]) => [
    svg("line", { class: "grid", x1: LABEL, x2: right, y1: scale.y(v), y2: scale.y(v) }),
    svg("text", { x: LABEL - 6, y: scale.y(v) + 4, "text-anchor": "end" }, label),
  ]);
  const height = floor ? Math.max(scale.y(floor[0]) - scale.y(floor[1]), 1) : 0;
  return [floor && svg("rect", { class: "floor", x: LABEL, width: right - LABEL, y: scale.y(floor[1]), height }), lines];
}

// The axis of the steps with its labels.
function stepAxis(last, x, low, right, below) {
  return [
    svg("line", { class: "axis", x1: LABEL, x2: right, y1: low, y2: low }),
    roundNumbers(0, last).map(([v, label]) => svg("text", { x: x(v), y: low + below, "text-anchor": "middle" }, label)),
  ];
}

const picture = (width, height, label, ...children) => svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...children);

// The mean over the seeds, and the lowest and highest of them, at the steps that all seeds still in the run have.
function seedCurve(cell, metric) {
  const rows = new Map();
  for (const run of cell.runs.map((id) => RUNS.get(id))) {
    (run.curve[metric] ?? []).forEach((value, i) => {
      const step = run.curve.step[i];
      if (value !== null && !(run.end !== null && step >= run.end)) rows.set(step, [...(rows.get(step) ?? []), value]);
    });
  }
  return [...rows].sort((a, b) => a[0] - b[0]).map(([step, values]) => ({
    step, mean: values.reduce((a, b) => a + b) / values.length, low: Math.min(...values), high: Math.max(...values), n: values.length,
  }));
}

function curves(dataset) {
  const width = 520, height = 330, right = width - 8, low = height - 34, high = 10, metric = state.metric;
  const floor = DATA.datasets[dataset].floor[metric];
  const shown = DATA.cells.filter((cell) => cell.dataset === dataset && !state.hidden.has(cell.drift) && (state.all || cell.best));
  const series = shown.map((cell) => ({ cell, rows: seedCurve(cell, metric) })).filter(({ rows }) => rows.length);
  const last = Math.max(1, ...series.flatMap(({ rows }) => rows.map((row) => row.step)));
  const scale = scaleOf(series.flatMap(({ rows }) => rows.flatMap((row) => [row.low, row.high])), floor, low, high);
  const x = (step) => LABEL + (step / last) * (right - LABEL);
  const through = (points) => "M" + points.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join("L");
  const drawn = series.sort((a, b) => a.cell.best - b.cell.best).map(({ cell, rows }) => {
    const stroke = driftVariable(cell.drift), end = rows[rows.length - 1], dash = DATA.drifts[cell.drift].dash.map((d) => 2 * d).join();
    const around = [...rows.map((r) => [x(r.step), scale.y(r.high)]), ...[...rows].reverse().map((r) => [x(r.step), scale.y(r.low)])];
    return svg("g", { "data-cell": DATA.cells.indexOf(cell) },
      cell.best && rows.some((r) => r.n > 1) && svg("path", { class: "seeds", style: { fill: stroke }, d: `${through(around)}Z` }),
      svg("path", { class: cell.best ? "line" : "line other", style: { stroke, "stroke-dasharray": dash }, d: through(rows.map((r) => [x(r.step), scale.y(r.mean)])) }),
      cell.lost.diverged === cell.runs.length && svg("text", { x: x(end.step), y: scale.y(end.mean) + 4, "text-anchor": "middle", style: { fill: stroke, "font-size": "15px" } }, "×"));
  });
  const chart = picture(width, height, `${metricName(metric)} over training on ${dataset}`,
    frame(scale, floor, right), stepAxis(last, x, low, right, 18), svg("text", { x: right, y: low + 32, "text-anchor": "end" }, "step"), drawn);
  hoverCurves(chart, series, x, scale);
  return chart;
}

function hoverCurves(chart, series, x, scale) {
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect(), factor = 520 / box.width;
    const [px, py] = [(event.clientX - box.left) * factor, (event.clientY - box.top) * factor];
    let nearest = null, least = 30 ** 2;
    for (const { cell, rows } of series) for (const row of rows) {
      const distance = (x(row.step) - px) ** 2 * 0.3 + (scale.y(row.mean) - py) ** 2;
      if (distance < least) [nearest, least] = [{ cell, row }, distance];
    }
    chart.querySelectorAll("g").forEach((g) => g.classList.toggle("dim", nearest !== null && Number(g.dataset.cell) !== DATA.cells.indexOf(nearest.cell)));
    chart.dataset.near = nearest ? nearest.cell.runs[0] : "";
    const range = nearest && nearest.row.n > 1 ? `\n${nearest.row.n} seeds: ${number(nearest.row.low)} to ${number(nearest.row.high)}` : "";
    tip(event, nearest && `${nearest.cell.drift}, ${nearest.cell.caption}\nstep ${nearest.row.step}: ${metricName()} ${number(nearest.row.mean)}${range}`);
  });
  chart.addEventListener("pointerleave", () => { chart.querySelectorAll("g").forEach((g) => g.classList.remove("dim")); tip(); });
  chart.addEventListener("click", () => { if (chart.dataset.near) location.hash = toRun(chart.dataset.near); });
}

// Final values, a dot a seed and a line at their mean; crosses on top are seeds that diverged or failed.
function strips(dataset) {
  const cells = DATA.cells.filter((cell) => cell.dataset === dataset && !state.hidden.has(cell.drift)), metric = state.metric;
  const labels = cells.map((cell) => cell.caption.split(", ").map((part) => part.replace(/^.*?=/, "")).join(" "));
  const room = Math.min(Math.max(...labels.map((label) => label.length), 0), 14) * 4;
  const nameLines = (drift) => (drift.length > 10 ? drift.split(/(?<=_)/) : [drift]);
  const wrapped = Math.max(...cells.map((cell) => nameLines(cell.drift).length), 1) - 1;
  const width = 780, height = 330, right = width - 6, low = height - 56 - room - 13 * wrapped, high = 30, floor = DATA.datasets[dataset].floor[metric];
  const drifts = [...new Set(cells.map((cell) => cell.drift))], gap = 0.8;
  const unit = (right - LABEL) / (cells.length + gap * drifts.length);
  const finals = (cell) => cell.runs.map((id) => RUNS.get(id)).filter((run) => run.state === "done" && run.values[metric] !== null && run.values[metric] !== undefined);
  const scale = scaleOf(cells.flatMap((cell) => finals(cell).map((run) => run.values[metric])), floor, low, high);
  const marks = cells.map((cell, i) => {
    const x = LABEL + unit * (i + gap * (drifts.indexOf(cell.drift) + 0.5) + 0.5), runs = finals(cell), stroke = driftVariable(cell.drift);
    const mean = runs.reduce((sum, run) => sum + run.values[metric], 0) / runs.length, half = Math.min(unit * 0.32, 11);
    const lost = cell.lost.diverged + cell.lost.failed, label = labels[i];
    const why = `${cell.drift}, ${cell.caption}\n${metricName()} ${runs.length ? number(mean) : "–"} over ${runs.length} of ${cell.runs.length} seeds${lost ? `, ${lost} lost` : ""}`;
    return svg("a", { href: toRun(cell.runs[0]), "data-tip": why },
      svg("rect", { x: x - unit / 2, y: 0, width: unit, height: low, fill: "transparent" }),
      runs.length > 0 && svg("line", { x1: x - half, x2: x + half, y1: scale.y(mean), y2: scale.y(mean), style: { stroke, "stroke-width": "2.5" } }),
      runs.map((run) => svg("circle", { cx: x, cy: scale.y(run.values[metric]), r: 3.2, style: { fill: stroke, "fill-opacity": ".55" } })),
      lost > 0 && svg("text", { class: "strong", x, y: high - 14, "text-anchor": "middle" }, `×${lost > 1 ? lost : ""}`),
      svg("text", { x, y: low + 14, "text-anchor": "end", transform: `rotate(-38 ${x} ${low + 14})` }, label.length > 14 ? label.slice(0, 13) + "…" : label));
  });
  const names = drifts.map((drift, d) => {
    const mine = cells.map((cell, i) => [cell, i]).filter(([cell]) => cell.drift === drift).map(([, i]) => i);
    const middle = LABEL + unit * ((mine[0] + mine[mine.length - 1]) / 2 + gap * (d + 0.5) + 0.5);
    const keys = cells[mine[0]].caption.includes("=") ? cells[mine[0]].caption.split(", ").map((part) => part.replace(/=.*$/, "")).join(", ") : "";
    return svg("text", { x: middle, y: low + 32 + room, "text-anchor": "middle" },
      nameLines(drift).map((line, i) => svg("tspan", { class: "strong", x: middle, dy: i ? 13 : 0, style: { fill: driftVariable(drift) } }, line)),
      svg("tspan", { x: middle, dy: 14 }, keys));
  });
  const lanes = cells.some((cell) => cell.lost.diverged + cell.lost.failed) && svg("text", { x: LABEL - 6, y: high - 14, "text-anchor": "end" }, "lost");
  const chart = picture(width, height, `final ${metricName(metric)} by setting on ${dataset}`,
    frame(scale, floor, right), svg("line", { class: "axis", x1: LABEL, x2: right, y1: low, y2: low }), marks, names, lanes);
  chart.addEventListener("pointermove", (event) => tip(event, event.target.closest("[data-tip]")?.dataset.tip));
  chart.addEventListener("pointerleave", () => tip());
  return chart;
}

function tip(event, text) {
  const box = $("#tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  box.style.left = `${Math.min(event.clientX + 14, window.innerWidth - box.offsetWidth - 8)}px`;
  box.style.top = `${Math.min(event.clientY + 14, window.innerHeight - box.offsetHeight - 8)}px`;
}

function drawCharts() {
  const over = `best setting of each drift, band from lowest to highest seed${state.all ? "; pale: the others" : ""}`;
  for (const section of document.querySelectorAll("section[data-set]")) {
    const dataset = section.dataset.set;
    $(".curves", section).replaceChildren(html("h3", {}, `${metricName()} over training `, small(over)), curves(dataset));
    $(".strips", section).replaceChildren(html("h3", {}, `${metricName()} at the end, by setting `, small("a dot a seed, a dash their mean, × lost")), strips(dataset));
  }
}
on("metric all hidden", drawCharts);
