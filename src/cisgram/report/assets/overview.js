// Figures over all genes: means, distributions, populations, model against model.

const EDGE = 14; // half a tick's label

function whiskers(row, x, y, on) {
  if (row.mean === null) return svg("g");
  const group = svg("g", { class: on ? "on" : "" });
  if (row.interval[0] !== null) {
    group.append(svg("line", { x1: x(row.interval[0]), x2: x(row.interval[1]), y1: y, y2: y, class: "whisker" }));
  }
  group.append(svg("circle", { cx: x(row.mean), cy: y, r: 4.5, class: "dot" }));
  return group;
}

function domainOf(rows) {
  const ends = rows.flatMap((row) => [row.mean, ...row.interval]).filter((end) => end !== null);
  const [low, high] = padded([0, ...ends], 0.06);
  return [Math.min(...ends, 0) < 0 ? low : 0, high];
}

function drawMeans(data, shown, width) {
  const rows = data.summaries;
  const x = scale(domainOf(rows), [EDGE, width - EDGE]);
  const bottom = rows.length * 46 + 6;
  const parts = [axisX(x, { top: 0, bottom, label: "mean Pearson r" })];
  rows.forEach((row, m) => {
    const y = m * 46 + 34;
    parts.push(
      svg("text", { x: EDGE + 6, y: y - 14, class: m === shown ? "strong" : "" }, `${data.models[m].label} ${fixed(row.mean ?? NaN)}`),
      whiskers(row, x, y, m === shown),
    );
  });
  const words = rows.map((row, m) => `${data.models[m].label} ${fixed(row.mean)}`).join(", ");
  return { height: bottom + 40, label: `Mean Pearson r of each model: ${words}.`, parts };
}

const BIN = 0.05;

function histogram(values, first, n) {
  const counts = new Array(n).fill(0);
  for (const value of values) {
    if (Number.isFinite(value)) counts[Math.min(n - 1, Math.floor(value / BIN + 1e-6) - first)] += 1;
  }
  return counts;
}

function drawDistribution(data, shown, width) {
  let low = 0;
  let high = 0.1;
  for (const { pearson } of data.models) {
    for (const value of pearson) [low, high] = [value < low ? value : low, value > high ? value : high];
  }
  const first = Math.floor(low / BIN + 1e-6);
  const n = Math.max(1, Math.ceil(high / BIN - 1e-6) - first);
  const counts = data.models.map(({ pearson }) => histogram(pearson, first, n));
  const most = Math.max(...counts.flat());
  const x = scale([first * BIN, (first + n) * BIN], [EDGE, width - EDGE]);
  const bottom = counts.length * 78 + 6;
  const parts = [axisX(x, { top: 0, bottom, label: "Pearson r across held-out people" })];
  counts.forEach((bins, m) => {
    const base = m * 78 + 76;
    const row = svg("g", { class: m === shown ? "on" : "" });
    bins.forEach((count, b) => {
      const from = x((first + b) * BIN) + 0.75;
      const height = (count / most) * 50;
      const below = first + b < 0 ? "bar below" : "bar";
      row.append(svg("rect", { x: from, y: base - height, width: x((first + b + 1) * BIN) - from - 0.75, height, class: below }));
    });
    const negative = `${percent(data.summaries[m].negative)} negative`;
    row.append(
      svg("text", { x: EDGE + 6, y: base - 58, class: m === shown ? "strong" : "" }, data.models[m].label),
      svg("text", { x: width - EDGE, y: base - 58, "text-anchor": "end", class: "muted" }, negative),
      svg("line", { x1: EDGE, x2: width - EDGE, y1: base, y2: base, class: "grid" }),
    );
    parts.push(row);
  });
  const words = data.models.map(
    ({ label, pearson }, m) =>
      `${label}: median ${fixed(median(Array.from(pearson)))}, ${percent(data.summaries[m].negative)} negative`,
  );
  return { height: bottom + 40, label: `Genes by Pearson r. ${words.join("; ")}.`, parts };
}

function drawPopulations(data, shown, width) {
  const names = [...new Set(data.byPopulation.map((row) => row.population))];
  const x = scale(domainOf(data.byPopulation), [EDGE, width - EDGE]);
  const tall = 28 + data.models.length * 12;
  const bottom = names.length * tall + 6;
  const parts = [axisX(x, { top: 0, bottom, label: "mean Pearson r within the population" })];
  names.forEach((name, p) => {
    const rows = data.byPopulation.filter((row) => row.population === name);
    const people = `${whole(Math.max(...rows.map((row) => row.people)))} people`;
    parts.push(
      svg("text", { x: EDGE + 6, y: p * tall + 16 }, svg("tspan", { class: "strong" }, name), svg("tspan", { class: "muted" }, `  ${people}`)),
    );
    rows.forEach((row) => parts.push(whiskers(row, x, p * tall + 30 + row.model * 12, row.model === shown)));
  });
  const words = data.byPopulation
    .filter((row) => row.model === shown)
    .map((row) => `${row.population} ${fixed(row.mean)}`)
    .join(", ");
  return { height: bottom + 40, label: `Mean r within populations, ${data.models[shown].label}: ${words}.`, parts };
}

// Model against model: a point a gene, the same scale both ways.
class Comparison {
  constructor(data, choose) {
    this.data = data;
    this.gene = -1;
    const baseline = data.models.findIndex((model) => model.id === "top-snp");
    this.selects = [byId("compare-x"), byId("compare-y")];
    const chosen = [baseline > 0 ? baseline : data.models.length - 1, 0];
    this.selects.forEach((select, s) => {
      select.append(...data.models.map((model, m) => html("option", { value: m, selected: m === chosen[s] }, model.label)));
      select.addEventListener("change", () => this.redraw());
    });
    byId("compare-form").addEventListener("submit", (event) => event.preventDefault());
    this.redraw = figure("figure-compare", (width) => this.draw(width));
    this.svg = byId("figure-compare");
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => (byId("compare-tip").hidden = true));
    this.svg.addEventListener("click", (event) => {
      const i = this.point(event);
      if (i >= 0) choose(this.rows[i]);
    });
  }

  show(gene) {
    this.gene = gene;
    this.redraw();
  }

  draw(width) {
    const [a, b] = this.selects.map((select) => this.data.models[Number(select.value)]);
    this.pair = [a, b];
    this.rows = this.data.genes.id.map((_, row) => row).filter((row) => Number.isFinite(a.pearson[row] + b.pearson[row]));
    const xs = this.rows.map((row) => a.pearson[row]);
    const ys = this.rows.map((row) => b.pearson[row]);
    const domain = padded([0, ...xs, ...ys]);
    const height = Math.min(width, 520);
    const x = scale(domain, [44, width - 8]);
    const y = scale(domain, [height - 44, 22]);
    this.xs = xs.map(x);
    this.ys = ys.map(y);
    const parts = [
      axisX(x, { top: 22, bottom: height - 44, label: `Pearson r, ${a.label}` }),
      axisY(y, { left: 44, right: width - 8, label: `Pearson r, ${b.label}` }),
      svg("line", { x1: x(domain[0]), y1: y(domain[0]), x2: x(domain[1]), y2: y(domain[1]), class: "diagonal" }),
      dots(this.xs, this.ys, { class: "cloud", "stroke-width": xs.length > 3000 ? 2.5 : 5 }),
    ];
    const i = this.rows.indexOf(this.gene);
    if (i >= 0) {
      parts.push(
        svg("circle", { cx: this.xs[i], cy: this.ys[i], r: 6, class: "ring" }),
        this.nameGene(i, width),
      );
    }
    const ahead = ys.filter((value, k) => value > xs[k]).length / Math.max(1, ys.length);
    const words = `The ${b.label} is ahead in ${percent(ahead)} of ${whole(ys.length)} genes (above the dashed line).`;
    byId("compare-caption").textContent = `A point a gene. ${words} Choose a point to open its gene.`;
    return { height, label: `Pearson r of ${b.label} against ${a.label}: ${words}`, parts };
  }

  nameGene(i, width) {
    const right = this.xs[i] < width / 2;
    const x = this.xs[i] + (right ? 10 : -10);
    return svg("text", { x, y: this.ys[i] + 4, "text-anchor": right ? "start" : "end", class: "strong" }, this.data.genes.name[this.gene]);
  }

  point(event) {
    const at = pointIn(this.svg, event);
    const i = nearest(this.xs, this.ys, at, 16);
    const tip = byId("compare-tip");
    tip.hidden = i < 0;
    if (i >= 0) {
      const row = this.rows[i];
      const lines = this.pair.map((model) => `${model.label} ${fixed(model.pearson[row])}`);
      showTip(tip, [this.data.genes.name[row], ...lines].join("\n"), { x: this.xs[i], y: this.ys[i], width: this.svg.clientWidth });
    }
    return i;
  }
}
