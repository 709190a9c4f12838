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

function frame(width, height, scale, floor, right) {
  const lines = scale.ticks.map(([v, label]) => `<line class="grid" x1="${LABEL}" x2="${right}" y1="${scale.y(v)}" y2="${scale.y(v)}"/>
    <text x="${LABEL - 6}" y="${scale.y(v) + 4}" text-anchor="end">${label}</text>`);
  const band = floor ? `<rect class="floor" x="${LABEL}" width="${right - LABEL}" y="${scale.y(floor[1])}" height="${Math.max(scale.y(floor[0]) - scale.y(floor[1]), 1)}"/>` : "";
  return band + lines.join("");
}

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
  const path = (points) => "M" + points.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join("L");
  const drawn = series.sort((a, b) => a.cell.best - b.cell.best).map(({ cell, rows }) => {
    const style = DATA.drifts[cell.drift], stroke = driftVariable(cell.drift), line = path(rows.map((r) => [x(r.step), scale.y(r.mean)]));
    const around = [...rows.map((r) => [x(r.step), scale.y(r.high)]), ...[...rows].reverse().map((r) => [x(r.step), scale.y(r.low)])];
    const band = cell.best && rows.some((r) => r.n > 1) ? `<path class="seeds" style="fill:${stroke}" d="${path(around)}Z"/>` : "";
    const end = rows[rows.length - 1], lost = cell.lost.diverged === cell.runs.length;
    const cross = lost ? `<text x="${x(end.step)}" y="${scale.y(end.mean) + 4}" text-anchor="middle" style="fill:${stroke};font-size:15px">×</text>` : "";
    return `<g data-cell="${DATA.cells.indexOf(cell)}">${band}<path class="line${cell.best ? "" : " other"}" style="stroke:${stroke};stroke-dasharray:${style.dash.map((d) => 2 * d)}" d="${line}"/>${cross}</g>`;
  });
  const steps = roundNumbers(0, last).map(([v, label]) => `<text x="${x(v)}" y="${low + 18}" text-anchor="middle">${label}</text>`);
  const svg = element(`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${esc(metricName(metric))} over training on ${esc(dataset)}">
    ${frame(width, height, scale, floor, right)}<line class="axis" x1="${LABEL}" x2="${right}" y1="${low}" y2="${low}"/>${steps.join("")}
    <text x="${right}" y="${low + 32}" text-anchor="end">step</text>${drawn.join("")}</svg>`);
  hoverCurves(svg, series, x, scale);
  return svg;
}

function hoverCurves(svg, series, x, scale) {
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), factor = 520 / box.width;
    const [px, py] = [(event.clientX - box.left) * factor, (event.clientY - box.top) * factor];
    let nearest = null, least = 30 ** 2;
    for (const { cell, rows } of series) for (const row of rows) {
      const distance = (x(row.step) - px) ** 2 * 0.3 + (scale.y(row.mean) - py) ** 2;
      if (distance < least) [nearest, least] = [{ cell, row }, distance];
    }
    svg.querySelectorAll("g").forEach((g) => g.classList.toggle("dim", nearest !== null && Number(g.dataset.cell) !== DATA.cells.indexOf(nearest.cell)));
    svg.dataset.near = nearest ? nearest.cell.runs[0] : "";
    const range = nearest && nearest.row.n > 1 ? `\n${nearest.row.n} seeds: ${number(nearest.row.low)} to ${number(nearest.row.high)}` : "";
    tip(event, nearest && `${nearest.cell.drift}, ${nearest.cell.caption}\nstep ${nearest.row.step}: ${metricName()} ${number(nearest.row.mean)}${range}`);
  });
  svg.addEventListener("pointerleave", () => { svg.querySelectorAll("g").forEach((g) => g.classList.remove("dim")); tip(); });
  svg.addEventListener("click", () => { if (svg.dataset.near) location.hash = `run=${svg.dataset.near}`; });
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
    const bar = runs.length ? `<line x1="${x - half}" x2="${x + half}" y1="${scale.y(mean)}" y2="${scale.y(mean)}" style="stroke:${stroke};stroke-width:2.5"/>` : "";
    const dotted = runs.map((run) => `<circle cx="${x}" cy="${scale.y(run.values[metric])}" r="3.2" style="fill:${stroke};fill-opacity:.55"/>`);
    const lost = cell.lost.diverged + cell.lost.failed;
    const cross = lost ? `<text class="strong" x="${x}" y="${high - 14}" text-anchor="middle">×${lost > 1 ? lost : ""}</text>` : "";
    const label = labels[i];
    const why = `${cell.drift}, ${cell.caption}\n${metricName()} ${runs.length ? number(mean) : "–"} over ${runs.length} of ${cell.runs.length} seeds${lost ? `, ${lost} lost` : ""}`;
    return `<a href="#run=${cell.runs[0]}" data-tip="${esc(why)}"><rect x="${x - unit / 2}" y="0" width="${unit}" height="${low}" fill="transparent"/>${bar}${dotted.join("")}${cross}
      <text x="${x}" y="${low + 14}" text-anchor="end" transform="rotate(-38 ${x} ${low + 14})">${esc(label.length > 14 ? label.slice(0, 13) + "…" : label)}</text></a>`;
  });
  const names = drifts.map((drift, d) => {
    const mine = cells.map((cell, i) => [cell, i]).filter(([cell]) => cell.drift === drift).map(([, i]) => i);
    const middle = LABEL + unit * ((mine[0] + mine[mine.length - 1]) / 2 + gap * (d + 0.5) + 0.5);
    const keys = cells[mine[0]].caption.includes("=") ? cells[mine[0]].caption.split(", ").map((part) => part.replace(/=.*$/, "")).join(", ") : "";
    const name = nameLines(drift).map((line, i) => `<tspan class="strong" x="${middle}" dy="${i ? 13 : 0}" style="fill:${driftVariable(drift)}">${esc(line)}</tspan>`);
    return `<text x="${middle}" y="${low + 32 + room}" text-anchor="middle">${name.join("")}<tspan x="${middle}" dy="14">${esc(keys)}</tspan></text>`;
  });
  const lanes = cells.some((cell) => cell.lost.diverged + cell.lost.failed) ? `<text x="${LABEL - 6}" y="${high - 14}" text-anchor="end">lost</text>` : "";
  const svg = element(`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="final ${esc(metricName(metric))} by setting on ${esc(dataset)}">
    ${frame(width, height, scale, floor, right)}<line class="axis" x1="${LABEL}" x2="${right}" y1="${low}" y2="${low}"/>${marks.join("")}${names.join("")}${lanes}</svg>`);
  svg.addEventListener("pointermove", (event) => tip(event, event.target.closest("[data-tip]")?.dataset.tip));
  svg.addEventListener("pointerleave", () => tip());
  return svg;
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
  for (const section of document.querySelectorAll("section[data-set]")) {
    $(".curves", section).replaceChildren(element(`<h3>${esc(metricName())} over training <small>best setting of each drift, band from lowest to highest seed${state.all ? "; pale: the others" : ""}</small></h3>`), curves(section.dataset.set));
    $(".strips", section).replaceChildren(element(`<h3>${esc(metricName())} at the end, by setting <small>a dot a seed, a dash their mean, × lost</small></h3>`), strips(section.dataset.set));
  }
}
on("metric all hidden", drawCharts);
