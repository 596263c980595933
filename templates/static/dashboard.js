// The cockpit with a script: htmx asks for its parts again; this draws the plot of accuracy in the
// colours of tokens.css, and says what a refresh alone would not: that a Round moved, that the
// server is silent.

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia("(prefers-color-scheme: dark)");
const HEIGHT = 240;
const DOT = [4, 3]; // px, half a mark: of few Rounds, of many
const MANY = 60;
let drawn = null;

// --- The plot ----------------------------------------------------------------------------------

function marks(plot, series, draw) {
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.lineWidth = 2 * ratio;
  plot.data[series].forEach((value, place) => {
    if (value === null || value === undefined) return;
    const x = plot.valToPos(plot.data[0][place], "x", true);
    const y = plot.valToPos(value, "y", true);
    ctx.beginPath();
    draw(ctx, x, y, DOT[Number(plot.data[0].length > MANY)] * ratio);
  });
  ctx.restore();
}

// A full dot where promoted; where refused a cross, so that colour is not all that tells them apart.
function drawMarks(plot) {
  plot.ctx.fillStyle = token("--accent");
  marks(plot, 1, (ctx, x, y, r) => {
    ctx.arc(x, y, r, 0, 2 * Math.PI);
    ctx.fill();
  });
  plot.ctx.strokeStyle = token("--warn");
  marks(plot, 2, (ctx, x, y, r) => {
    ctx.moveTo(x - r, y - r);
    ctx.lineTo(x + r, y + r);
    ctx.moveTo(x + r, y - r);
    ctx.lineTo(x - r, y + r);
    ctx.stroke();
  });
}

// The number that the title names stands at its point.
function drawLabel(plot, data) {
  if (data.labelled === null) return;
  const { ctx } = plot;
  const x = plot.valToPos(data.rounds[data.labelled], "x", true);
  const y = plot.valToPos(data.promoted[data.labelled], "y", true);
  const above = y - plot.bbox.top > 24 * devicePixelRatio;
  ctx.save();
  ctx.font = `${token("--bold")} ${14 * devicePixelRatio}px ${token("--font")}`;
  ctx.fillStyle = token("--ink");
  ctx.textAlign = "center";
  ctx.fillText(data.labels[data.labelled], x, y + (above ? -10 : 22) * devicePixelRatio);
  ctx.restore();
}

function options(data, width) {
  const ink = token("--ink-soft");
  const axis = {
    stroke: ink,
    font: `13px ${token("--font")}`,
    grid: { stroke: token("--line"), width: 1 },
    ticks: { show: false },
  };
  const values = [...data.promoted, ...data.refused].filter((value) => value !== null);
  const floor = Math.max(0, Math.floor((Math.min(...values) - 1) / 10) * 10);
  const [first, last] = [data.rounds[0], data.rounds.at(-1)];
  return {
    width,
    height: HEIGHT,
    padding: [16, 28, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [first - 0.5, last + 0.5] },
      y: { range: [floor, 100] },
    },
    axes: [
      { ...axis, size: 32, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100], values: (_, marks) => marks.map((n, place) => (Number.isInteger(n) ? `${place ? "" : `${data.round} `}${n}` : "")) },
      { ...axis, size: 56, incrs: [5, 10, 20], values: (_, marks) => marks.map((n) => `${n} %`) },
    ],
    series: [
      {},
      { stroke: token("--accent"), width: 2, spanGaps: true, points: { show: false } },
      { stroke: token("--warn"), width: 0, points: { show: false }, paths: () => null },
    ],
    hooks: { draw: [drawMarks, (plot) => drawLabel(plot, data)] },
  };
}

function draw() {
  drawn?.destroy();
  drawn = null;
  const frame = document.getElementById("accuracy");
  if (!frame) return;
  const data = JSON.parse(frame.dataset.plot);
  const columns = [data.rounds, data.promoted, data.refused];
  drawn = new uPlot(options(data, frame.clientWidth), columns, frame);
  widths.disconnect();
  widths.observe(frame);
}

const widths = new ResizeObserver(([entry]) => {
  const width = Math.floor(entry.contentRect.width);
  if (drawn && width && width !== drawn.width) drawn.setSize({ width, height: HEIGHT });
});

dark.addEventListener("change", draw);
document.body.addEventListener("htmx:load", (event) => {
  if (event.detail.elt.id === "details") draw(); // a new frame has come
});
draw();

// --- What refreshes ----------------------------------------------------------------------------

const stale = document.getElementById("stale");
const told = document.getElementById("told");

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault(); // nobody looks
});
document.body.addEventListener("htmx:sendError", () => (stale.hidden = false));
document.body.addEventListener("htmx:responseError", () => (stale.hidden = false));
document.body.addEventListener("htmx:afterOnLoad", (event) => {
  if (event.detail.xhr.status < 400) stale.hidden = true;
});
document.body.addEventListener("round-moved", (event) => (told.textContent = event.detail.words));
