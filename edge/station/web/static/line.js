// The line's charts, drawn from what the page brought along; the page is fetched anew every minute.

const AGAIN_MS = 60_000, PATIENCE_MS = 15_000, HEIGHT = 190;
const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(`--${name}`).trim();
const number = (value) => (value === null || value === undefined ? "-" : value >= 100 ? value.toFixed(0) : Number(value.toFixed(3)).toString());

const series = {
  joints: [["released", "good", true], ["sent", "mark", true]],
  scores: [["low", "quiet"], ["middle", "act"], ["high", "quiet"]],
  quality: [["low", "quiet"], ["middle", "good"], ["high", "quiet"]],
  latency: [["middle", "act"], ["high", "mark"]],
};
const words = { low: "a tenth below", middle: "median", high: "nine tenths below", released: "released", sent: "sent" };

const word = (name, key) => (name === "latency" && key === "high" ? "99 of 100 below" : words[key]);

let drawn = [];

function options(name, labels, width, few) {
  const grid = { stroke: colour("line"), width: 1 }, axis = { stroke: colour("quiet"), grid, ticks: grid };
  const bars = uPlot.paths.bars({ size: [0.7, 40] });
  const share = name === "scores" || name === "quality";
  return {
    width, height: HEIGHT, cursor: { y: false }, legend: { live: true },
    scales: {
      x: { time: false, range: () => [-0.6, labels.length - 0.4] },
      y: share ? { range: [0, 1] } : { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] },
    },
    axes: [
      { ...axis, space: 60, values: (_, places) => places.map((place) => labels[place] ?? "") },
      { ...axis, size: 55 },
    ],
    bands: share ? [{ series: [3, 1], fill: `${colour("quiet")}22` }] : [],
    series: [
      { label: "at", value: (_, place) => labels[place] ?? "-" },
      ...series[name].map(([key, tint, bar]) => ({
        label: word(name, key),
        stroke: colour(tint), width: tint === "quiet" ? 1 : 2, fill: bar ? colour(tint) : undefined,
        paths: bar ? bars : undefined, points: { show: !bar && few, size: 5 }, value: (_, value) => number(value),
      })),
    ],
  };
}

function draw() {
  for (const chart of drawn) chart.destroy();
  drawn = [];
  const charts = JSON.parse(document.getElementById("charts").dataset.charts);
  for (const figure of document.querySelectorAll("[data-chart]")) {
    const name = figure.dataset.chart, columns = charts[name];
    figure.hidden = !columns;
    if (!columns) continue;
    const places = charts.labels.map((_, place) => place);
    const values = series[name].map(([key]) => columns[key]);
    // One bar stands on the other: what is drawn of the first is the sum.
    const data = name === "joints" ? [places, values[0].map((value, place) => value + values[1][place]), values[1]] : [places, ...values];
    const few = data[1].filter((value) => value !== null).length < 30;  // a day alone makes no line
    const chart = new uPlot(options(name, charts.labels, figure.clientWidth, few), data, figure);
    if (name === "joints") chart.series[1].value = (_, __, ___, place) => (place === null ? "-" : number(values[0][place]));
    chart.root.setAttribute("role", "img");
    chart.root.setAttribute("aria-label", spoken(figure, charts.labels, columns, name));
    drawn.push(chart);
  }
  document.body.dataset.drawn = String(drawn.length);
}

// For who does not see: the last step that has something.
function spoken(figure, labels, columns, name) {
  const last = labels.findLastIndex((_, place) => series[name].some(([key]) => columns[key][place]));
  const told = last < 0 ? "nothing yet" : `${labels[last]}: ${series[name].map(([key]) => `${word(name, key)} ${number(columns[key][last])}`).join(", ")}`;
  return `${figure.querySelector("figcaption").textContent}. ${told}.`;
}

async function again() {
  if (document.hidden || ["INPUT", "SELECT"].includes(document.activeElement.tagName)) return;
  const answer = await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => null);
  document.getElementById("stale").hidden = Boolean(answer?.ok);
  if (!answer?.ok) return;
  if (answer.redirected) { location.assign("/login"); return; }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (document.getElementById("last-alarms")?.open) fresh.querySelector("#last-alarms")?.setAttribute("open", "");
  document.querySelector("main").replaceWith(fresh);
  draw();
}

addEventListener("load", () => {
  draw();
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; draw(); } });
  setInterval(again, AGAIN_MS);
});
