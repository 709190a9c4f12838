// The samples: one canvas a panel, drawn while it can be seen, at the step of the scrubber.
const EDGE = 16383, MISSING = -32768;
const visible = new Set();
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    isIntersecting ? visible.add(target) : visible.delete(target);
    if (isIntersecting) drawPanel(target);
  }
}, { rootMargin: "150px" });

// Why nothing is to be seen of a run at a step; empty where there is something.
function emptiness(run, step) {
  if (run.state === "diverged" && step >= run.end) return `diverged\nat step ${run.end}`;
  if (run.state === "failed") return "failed";
  return run.frames ? "" : "no samples kept";
}

function drawPanel(panel) {
  const run = RUNS.get(panel.dataset.run), canvas = $("canvas", panel), empty = $(".empty", panel);
  if (!run) return;
  const step = stepAt(state.position), why = emptiness(run, step), size = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
  empty.innerText = why;
  canvas.width = canvas.height = Math.round(size * ratio);
  canvas.dataset.step = Math.round(step);
  if (why || !size) return;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const dot = size > 300 ? 2.6 : 1.7;
  dots(context, targetOf(run.target), 0, null, 0, targetOf(run.target).length / 2, size, dot * 1.25, css("--target"), 0.45);
  const { steps, n } = run.frames, cloud = cloudOf(run);
  let i = steps.length - 1;
  while (i > 0 && steps[i] > step) i--;
  const next = i + 1 < steps.length && !(run.end !== null && steps[i + 1] >= run.end) ? i + 1 : i;
  const t = next > i ? Math.max(step - steps[i], 0) / (steps[next] - steps[i]) : 0;
  const outside = dots(context, cloud, 2 * n * i, 2 * n * next, t, n, size, dot, colour(run.drift), 0.8);
  if (outside >= 0.01) {
    context.globalAlpha = 1;
    context.fillStyle = css("--ink");
    context.strokeStyle = css("--card");
    context.lineWidth = 3;
    context.font = "10.5px system-ui, sans-serif";
    context.textAlign = "right";
    const text = `${Math.round(100 * outside)} % outside`;
    context.strokeText(text, size - 6, size - 6);
    context.fillText(text, size - 6, size - 6);
  }
}

// Draws `n` points that lie `t` of the way from one frame to the next, and returns the share of them outside of the panel.
function dots(context, cloud, from, to, t, n, size, dot, fill, alpha) {
  const scale = size / 2 / EDGE;
  let outside = 0;
  context.fillStyle = fill;
  context.globalAlpha = alpha;
  for (let j = 0; j < n; j++) {
    let x = cloud[from + 2 * j], y = cloud[from + 2 * j + 1];
    if (x === MISSING) { outside++; continue; }
    if (t > 0 && cloud[to + 2 * j] !== MISSING) {
      x += t * (cloud[to + 2 * j] - x);
      y += t * (cloud[to + 2 * j + 1] - y);
    }
    if (Math.abs(x) > EDGE || Math.abs(y) > EDGE) outside++;
    else context.fillRect(size / 2 + x * scale - dot / 2, size / 2 - y * scale - dot / 2, dot, dot);
  }
  return outside / n;
}

function panelOf(cell) {
  const run = cell.runs.map((id) => RUNS.get(id)).find((r) => state.seed === null || r.seed === state.seed);
  const lost = cell.lost.diverged + cell.lost.failed;
  if (!run) {
    return html("div", { class: "panel" }, html("div", { class: "frame" }, html("div", { class: "empty" }, "no run of this seed")),
      html("div", { class: "text" }, html("b", {}, cell.caption)));
  }
  const verdict = verdictOf(run), value = run.state === "done" ? number(run.values[run.headline]) : VERDICT_WORDS[verdict];
  const title = `${run.drift}, ${cell.caption}, seed ${run.seed}: ${VERDICT_WORDS[verdict]}${run.why ? `\n${run.why}` : ""}`;
  return html("a", { class: cell.best ? "panel best" : "panel", href: toRun(run.id), "data-run": run.id, style: { "--c": driftVariable(run.drift) }, title },
    html("div", { class: "frame" }, html("canvas", { "aria-label": `samples of ${run.name}` }), html("div", { class: "empty" })),
    html("div", { class: "text" }, html("b", {}, cell.caption), html("span", { class: `verdict ${verdict}` }, value),
      cell.runs.length > 1 && lost > 0 && small(`${lost} of ${cell.runs.length} seeds lost`)));
}

function drawGrids() {
  watcher.disconnect();
  visible.clear();
  for (const holder of document.querySelectorAll(".panels")) {
    const { set: dataset, drift } = holder.dataset;
    holder.replaceChildren(...DATA.cells.filter((cell) => cell.dataset === dataset && cell.drift === drift).map(panelOf));
    holder.querySelectorAll(".panel[data-run]").forEach((panel) => watcher.observe(panel));
  }
}

let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    visible.forEach(drawPanel);
    const open = $("#detail[open] [data-run]");
    if (open) drawPanel(open);
  });
}
on("position theme", redraw);
on("seed", drawGrids);
window.addEventListener("resize", redraw);
