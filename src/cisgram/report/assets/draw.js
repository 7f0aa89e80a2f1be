// Drawing in SVG, and numbers in words.

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function italic(text) {
  return html("i", {}, text);
}

// Numbers -------------------------------------------------------------------

const fixed = (value, digits = 3) => {
  if (!Number.isFinite(value)) return "–";
  const text = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return /[1-9]/.test(text) ? text.replace("-", "−") : text.replace("-", "");
};
const whole = (value) => (value < 0 ? "–" : value.toLocaleString("en"));
const percent = (share) => (share === null ? "–" : `${fixed(100 * share, share < 0.1 ? 1 : 0)}%`);

function probability(logP) {
  if (!Number.isFinite(logP)) return "–";
  if (logP < 3) return fixed(10 ** -logP, logP < 1 ? 2 : 3);
  let exponent = Math.ceil(logP);
  let mantissa = Math.round(10 ** (exponent - logP + 1)) / 10;
  if (mantissa >= 10) [mantissa, exponent] = [1, exponent - 1];
  const raised = String(exponent).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
  return `${fixed(mantissa, 1)} × 10⁻${raised}`;
}

// Scales and axes -----------------------------------------------------------

function scale([low, high], [from, to]) {
  const map = (value) => from + ((value - low) / (high - low)) * (to - from);
  map.domain = [low, high];
  map.range = [from, to];
  return map;
}

function padded(values, share = 0.05) {
  const known = values.filter(Number.isFinite);
  let low = Math.min(...known);
  let high = Math.max(...known);
  if (!known.length) [low, high] = [-1, 1];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const pad = (high - low) * share;
  return [low - pad, high + pad];
}

function ticks([low, high], about) {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((candidate) => candidate >= rough * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) {
    found.push({ value: k * step, text: fixed(k * step, digits) });
  }
  return found;
}

// A horizontal axis under a plot from `top` to `bottom`, with light grid lines.
function axisX(x, { top, bottom, label, about = Math.max(3, Math.floor((x.range[1] - x.range[0]) / 60)) }) {
  const axis = svg("g");
  for (const { value, text } of ticks(x.domain, about)) {
    const at = x(value);
    axis.append(
      svg("line", { x1: at, x2: at, y1: top, y2: bottom, class: Math.abs(value) < 1e-9 ? "zero" : "grid" }),
      svg("text", { x: at, y: bottom + 16, "text-anchor": "middle", class: "muted" }, text),
    );
  }
  axis.append(svg("text", { x: x.range[1], y: bottom + 34, "text-anchor": "end", class: "muted" }, label));
  return axis;
}

function axisY(y, { left, right, label, about = 5 }) {
  const axis = svg("g");
  for (const { value, text } of ticks(y.domain, about)) {
    const at = y(value);
    axis.append(
      svg("line", { x1: left, x2: right, y1: at, y2: at, class: Math.abs(value) < 1e-9 ? "zero" : "grid" }),
      svg("text", { x: left - 6, y: at + 4, "text-anchor": "end", class: "muted" }, text),
    );
  }
  axis.append(svg("text", { x: 0, y: y.range[1] - 9, class: "muted" }, label));
  return axis;
}

// Dots as one path of round-capped strokes without length: quick for many thousands.
function dots(xs, ys, attributes) {
  const path = xs.map((x, i) => `M${x.toFixed(1)} ${ys[i].toFixed(1)}h0`).join("");
  return svg("path", { d: path, ...attributes });
}

// Figures -------------------------------------------------------------------

// Draw into an SVG at its real width, so that text keeps its size, and again when that changes.
function figure(id, draw) {
  const element = byId(id);
  let width = 0;
  const redraw = () => {
    width = Math.floor(element.parentElement.clientWidth);
    if (width < 1) return;
    const { height, label, parts } = draw(width);
    element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    element.setAttribute("height", height);
    element.setAttribute("aria-label", label);
    element.replaceChildren(...parts);
  };
  new ResizeObserver(() => {
    if (Math.abs(element.parentElement.clientWidth - width) > 1) redraw();
  }).observe(element.parentElement);
  return redraw;
}

// Show `text` in `tip` beside a point of a figure of this width.
function showTip(tip, text, { x, y, width }) {
  tip.textContent = text;
  tip.hidden = false;
  const left = Math.max(0, Math.min(x - tip.offsetWidth / 2, width - tip.offsetWidth));
  const above = y - tip.offsetHeight - 12;
  tip.style.left = `${left}px`;
  tip.style.top = `${above < 0 ? y + 14 : above}px`;
}

function pointIn(element, event) {
  const box = element.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function nearest(xs, ys, [x, y], within) {
  let best = -1;
  let least = within * within;
  for (let i = 0; i < xs.length; i += 1) {
    const distance = (xs[i] - x) ** 2 + (ys[i] - y) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}

function median(values) {
  const known = values.filter(Number.isFinite).sort((a, b) => a - b);
  return known.length ? (known[(known.length - 1) >> 1] + known[known.length >> 1]) / 2 : NaN;
}
