// Charts in a small grammar of JSON, drawn as SVG out of elements and nothing
// else: what a model writes never becomes markup.
//
//   {"chart": "bar" | "line" | "pie" | "scatter",
//    "data": {"red": 1, "blue": 2}                      one series
//          | {"sold": {"may": 1, "june": 2}, ...}       several
//          | [[0, 1.5], [1, 2.5], ...],                 points
//    "title"?: text, "x"?: text, "y"?: text, "unit"?: text}
//
// Numbers are finite. What is anything else is no chart, and is shown as text.

const KINDS = ["bar", "line", "pie", "scatter"];
const WORDS = ["title", "x", "y", "unit"];
const MOST_SERIES = 6;
const MOST_POINTS = 500;
const MOST_BARS = 40;
const LONGEST = 80;

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360;

/**
 * Reads a chart; null: it is none.
 *
 * @returns {{kind, title, x, y, unit, labels, series} | null} `labels` are
 *   those of the data, or null where it has places on an axis; a series is
 *   {name, points: [[place, value], ...]}.
 */
export function read(value) {
  if (!isObject(value) || !KINDS.includes(value.chart)) {
    return null;
  }
  const chart = { kind: value.chart, title: "", x: "", y: "", unit: "" };
  for (const name of WORDS) {
    const word = value[name] ?? "";
    if (typeof word !== "string") {
      return null;
    }
    chart[name] = short(word);
  }
  const found = Array.isArray(value.data)
    ? readPoints(value.data)
    : readSeries(value.data);
  if (found === null || (found.labels === null && isByLabel(chart))) {
    return null;
  }
  const isPie = chart.kind === "pie";
  if (isPie && (found.series.length > 1 || !isShare(found.series[0]))) {
    return null;
  }
  const most = isByLabel(chart) ? MOST_BARS : MOST_POINTS;
  const num = found.series.reduce((sum, one) => sum + one.points.length, 0);
  return num > most ? null : { ...chart, ...found };
}

/** A figure of a chart, with its numbers as a table. */
export function draw(chart) {
  const figure = document.createElement("figure");
  figure.className = "chart";
  if (chart.title) {
    figure.append(node("figcaption", chart.title));
  }
  const draws = { bar: drawBars, line: drawLines, scatter: drawLines };
  const svg = (draws[chart.kind] ?? drawPie)(chart);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", summary(chart));
  figure.append(svg);
  if (chart.series.length > 1) {
    figure.append(legend(chart.series.map((one) => one.name)));
  }
  figure.append(table(chart));
  return figure;
}

function isObject(value) {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value)
  );
}

function isByLabel(chart) {
  return chart.kind === "bar" || chart.kind === "pie";
}

function isShare(series) {
  const values = series.points.map(([, value]) => value);
  return values.every((each) => each >= 0) && values.some((each) => each > 0);
}

function short(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

function readPoints(data) {
  const good = data.every(
    (one) =>
      Array.isArray(one) && one.length === 2 && one.every(Number.isFinite),
  );
  if (data.length === 0 || !good) {
    return null;
  }
  const points = data.map(([place, value]) => [place, value]);
  return { labels: null, series: [{ name: "", points }] };
}

function readSeries(data) {
  if (!isObject(data)) {
    return null;
  }
  const several = Object.values(data).every(isObject);
  const named = several ? Object.entries(data) : [["", data]];
  if (named.length === 0 || named.length > MOST_SERIES) {
    return null;
  }
  const labels = new Map();
  for (const [, values] of named) {
    for (const label of Object.keys(values)) {
      labels.set(label, labels.get(label) ?? labels.size);
    }
  }
  const series = [];
  for (const [name, values] of named) {
    const points = Object.entries(values);
    if (points.length === 0 || !points.every(([, n]) => Number.isFinite(n))) {
      return null;
    }
    series.push({
      name: short(name),
      points: points.map(([label, n]) => [labels.get(label), n]),
    });
  }
  return { labels: [...labels.keys()].map(short), series };
}

/** Bars that lie: their labels have room on the smallest screen. */
function drawBars({ labels, series, unit }) {
  const values = series.flatMap((one) => one.points.map(([, n]) => n));
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const span = high - low || 1;
  const left = 6 + Math.min(120, 7 * Math.max(...labels.map((l) => l.length)));
  const room = WIDTH - left - 58;
  const thick = series.length > 1 ? 12 : 18;
  const row = thick * series.length + 10;
  const place = (value) => left + (room * (value - low)) / span;
  const svg = canvas(row * labels.length + 6);
  for (const [index, label] of labels.entries()) {
    const middle = row * index + 4 + (thick * series.length) / 2;
    const cut = label.length > 17 ? `${label.slice(0, 16)}…` : label;
    svg.append(text(left - 8, middle, cut, { anchor: "end" }));
  }
  for (const [which, { points }] of series.entries()) {
    for (const [index, value] of points) {
      const y = row * index + 5 + thick * which;
      const from = Math.min(place(0), place(value));
      const width = Math.max(1, Math.abs(place(value) - place(0)));
      const height = thick - 2;
      const bar = shape("rect", { x: from, y, width, height, rx: 3 });
      bar.setAttribute("class", `fill-${which}`);
      const behind = Math.max(place(value), place(0)) + 6;
      svg.append(bar, text(behind, y + thick / 2, number(value, unit)));
    }
  }
  svg.append(
    shape("line", {
      x1: place(0), x2: place(0), y1: 2, y2: row * labels.length + 4,
      class: "axis",
    }), // prettier-ignore
  );
  return svg;
}

function drawLines({ kind, labels, series, x, y, unit }) {
  const points = series.flatMap((one) => one.points);
  const across = range(points.map(([place]) => place));
  const up = rounded(range(points.map(([, value]) => value)));
  const box = { left: 46, right: WIDTH - 14, top: 14, bottom: 170 };
  const atX = scale(across, box.left, box.right);
  const atY = scale(up, box.bottom, box.top);
  const svg = canvas(x ? 214 : 198);
  for (const value of ticks(up)) {
    const at = atY(value);
    svg.append(
      shape("line", {
        x1: box.left, x2: box.right, y1: at, y2: at, class: "grid",
      }), // prettier-ignore
      text(box.left - 6, at, number(value, unit), { anchor: "end" }),
    );
  }
  const places = labels === null ? ticks(across) : thinned(labels.length);
  for (const place of places) {
    const label = labels === null ? number(place, "") : labels[place];
    const cut = label.length > 9 ? `${label.slice(0, 8)}…` : label;
    svg.append(text(atX(place), box.bottom + 16, cut, { anchor: "middle" }));
  }
  for (const [which, one] of series.entries()) {
    const sorted = [...one.points].sort((a, b) => a[0] - b[0]);
    if (kind === "line") {
      const path = sorted.map(([place, n]) => `${atX(place)},${atY(n)}`);
      const line = shape("polyline", { points: path.join(" ") });
      line.setAttribute("class", `line stroke-${which}`);
      svg.append(line);
    }
    for (const [place, value] of kind === "scatter" || sorted.length < 40
      ? sorted
      : []) {
      const dot = shape("circle", { cx: atX(place), cy: atY(value), r: 3.2 });
      dot.setAttribute("class", `fill-${which}`);
      svg.append(dot);
    }
  }
  const middle = (box.left + box.right) / 2;
  if (x) {
    svg.append(text(middle, 206, x, { anchor: "middle" }));
  }
  if (y) {
    svg.append(text(box.left, 6, y));
  }
  return svg;
}

function drawPie({ labels, series, unit }) {
  const { points } = series[0];
  const sum = points.reduce((total, [, value]) => total + value, 0);
  const height = Math.max(150, 22 * points.length + 16);
  const svg = canvas(height);
  const [cx, cy, r] = [78, height / 2, 52];
  let from = 0;
  for (const [place, value] of points) {
    const part = value / sum;
    // A circle drawn with a broken line: an arc of any size, a whole one too.
    const arc = shape("circle", { cx, cy, r, pathLength: 100 });
    arc.setAttribute("class", `arc stroke-${place % MOST_SERIES}`);
    arc.setAttribute("stroke-dasharray", `${100 * part} ${100 - 100 * part}`);
    arc.setAttribute("stroke-dashoffset", `${25 - 100 * from}`);
    svg.append(arc);
    from += part;
    const y = cy + 22 * (place - (points.length - 1) / 2);
    const box = { x: 164, y: y - 6, width: 12, height: 12, rx: 3 };
    const sign = shape("rect", box);
    sign.setAttribute("class", `fill-${place % MOST_SERIES}`);
    const percent = `${Math.round(100 * part)} %`;
    const label = labels[place].slice(0, 14);
    const told = `${label}  ${number(value, unit)}  (${percent})`;
    svg.append(sign, text(184, y, told));
  }
  return svg;
}

function legend(names) {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const [which, name] of names.entries()) {
    const item = node("li", name);
    item.className = `key-${which}`;
    list.append(item);
  }
  return list;
}

function table({ labels, series, x, y, unit }) {
  const details = document.createElement("details");
  details.append(node("summary", "Numbers"));
  const rows = document.createElement("table");
  const head = document.createElement("tr");
  const names = series.map((one) => one.name || y || "value");
  head.append(...[x || "", ...names].map((name) => node("th", name)));
  rows.append(head);
  const places = [
    ...new Set(series.flatMap((one) => one.points.map(([place]) => place))),
  ];
  for (const place of places) {
    const row = document.createElement("tr");
    row.append(node("th", labels === null ? `${place}` : labels[place]));
    for (const { points } of series) {
      const found = points.find(([at]) => at === place);
      row.append(node("td", found ? number(found[1], unit) : ""));
    }
    rows.append(row);
  }
  details.append(rows);
  return details;
}

function summary({ kind, title, labels, series, unit }) {
  const { name, points } = series[0];
  const some = points.slice(0, 12).map(([place, value]) => {
    const label = labels === null ? place : labels[place];
    return `${label} ${number(value, unit)}`;
  });
  const more = series.length > 1 || points.length > 12 ? " and more" : "";
  const what = [`${kind} chart`, title, name].filter(Boolean).join(", ");
  return `${what}: ${some.join(", ")}${more}`;
}

function range(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? [low - 1, high + 1] : [low, high];
}

function scale([low, high], from, to) {
  return (value) => from + ((to - from) * (value - low)) / (high - low);
}

/** A round number of which a handful are a range. */
function stepOf([low, high]) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((each) => each * power >= rough) * power;
}

/** A range that begins and ends with a round number. */
function rounded([low, high]) {
  const step = stepOf([low, high]);
  return [Math.floor(low / step) * step, Math.ceil(high / step) * step];
}

/** A handful of round numbers within a range. */
function ticks([low, high]) {
  const step = stepOf([low, high]);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) {
    found.push(n * step);
  }
  return found;
}

function thinned(num) {
  const step = Math.ceil(num / 6);
  return [...Array(num).keys()].filter((place) => place % step === 0);
}

function number(value, unit) {
  const rounded = Number(value.toPrecision(4));
  const shown = Math.abs(rounded) >= 1e6 ? rounded.toExponential(1) : rounded;
  return unit ? `${shown} ${unit}` : `${shown}`;
}

function canvas(height) {
  return shape("svg", { viewBox: `0 0 ${WIDTH} ${height}` });
}

function text(x, y, content, { anchor = "start" } = {}) {
  const found = shape("text", { x, y, "text-anchor": anchor });
  found.setAttribute("dominant-baseline", "central");
  found.textContent = content;
  return found;
}

function shape(name, attributes) {
  const found = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) {
    found.setAttribute(attribute, `${value}`);
  }
  return found;
}

function node(name, content) {
  const found = document.createElement(name);
  found.textContent = content;
  return found;
}
