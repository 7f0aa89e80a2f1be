// One gene: its people, its SNPs, and how the models do on it.

const COLOURS = 5;
const LOCUS_HEIGHT = 236;
const CROWDED = 60;

class GenePanel {
  constructor(data) {
    this.data = data;
    this.population = -1;
    this.chosen = -1;
    this.redrawScatter = figure("figure-scatter", (width) => this.drawScatter(width));
    this.redrawLocus = figure("figure-locus", (width) => this.drawLocus(width));
    this.locus = byId("figure-locus");
    this.tip = byId("locus-tip");
    this.locus.addEventListener("pointermove", (event) => this.pointAt(event));
    this.locus.addEventListener("pointerdown", (event) => this.pointAt(event));
    this.locus.addEventListener("pointerleave", () => this.choose(-1));
    this.locus.addEventListener("blur", () => this.choose(-1));
    this.locus.addEventListener("keydown", (event) => this.step(event));
  }

  show(m, row) {
    this.m = m;
    this.model = this.data.models[m];
    this.row = row;
    this.detail = this.data.detailOf.get(row);
    this.snps = this.detail === undefined ? [] : this.collectSnps();
    this.chosen = -1;
    this.tip.hidden = true;
    this.writeHead();
    this.writeModels();
    for (const id of ["scatter-figure", "locus-figure"]) byId(id).hidden = this.detail === undefined;
    if (this.detail === undefined) return;
    this.writeLegend();
    this.writeCaptions();
    this.redrawScatter();
    this.redrawLocus();
  }

  writeHead() {
    const { genes } = this.data;
    const { row, model } = this;
    const strand = { "+": ", forward strand", "-": ", reverse strand" }[genes.strand[row]] ?? "";
    const chrom = genes.chroms[genes.chrom[row]];
    byId("gene-title").textContent = genes.name[row];
    byId("gene-place").textContent =
      `${genes.id[row] === genes.name[row] ? "" : `${genes.id[row]}, `}${chrom}:${whole(genes.start[row] + 1)}–${whole(genes.end[row])}${strand}`;
    const words = byId("gene-words");
    if (!Number.isFinite(model.pearson[row])) {
      words.replaceChildren(`The ${model.label} has no score for this gene.`);
      return;
    }
    const used = model.snpsModel[row];
    const passes = ["It is not accepted.", "It is accepted."][model.accepted[row]] ?? "";
    const { overFolds, agreement } = this.data;
    const pooled = this.detail === undefined ? NaN : agreement[this.m].pooled[this.detail];
    const people = Number.isFinite(pooled) ? `n = ${whole(agreement[this.m].n[this.detail])}` : "";
    words.replaceChildren(
      `The ${model.label} predicts held-out people with `, italic("r"), ` = ${fixed(model.pearson[row])}${overFolds ? " on average over folds" : ""}`,
      people && ` (${overFolds ? `${fixed(pooled)} pooled, ` : ""}${people})`,
      `, from ${whole(used)} of ${whole(model.snpsWindow[row])} SNPs. ${passes}`,
      this.detail === undefined ? " Its people and SNPs are not in this file, which holds those of the strongest genes." : "",
    );
  }

  writeModels() {
    const parts = this.data.models.map((model) =>
      html("span", {}, `${model.label} `, html("b", {}, fixed(model.pearson[this.row]))),
    );
    byId("gene-models").replaceChildren(html("h4", {}, "r in each model"), html("div", { class: "chips" }, ...parts));
  }

  writeLegend() {
    const agreement = this.data.agreement[this.m];
    const buttons = this.data.populations.map((name, p) => {
      const r = fixed(agreement.within[p][this.detail], 2);
      const n = whole(agreement.nWithin[p][this.detail]);
      const button = html("button", { type: "button", "aria-pressed": String(this.population === p) },
        html("span", { class: `swatch ${colourOf(p)}` }), html("b", {}, name), html("span", {}, italic("r"), ` = ${r}, n = ${n}`));
      button.addEventListener("click", () => {
        this.population = this.population === p ? -1 : p;
        [...byId("legend").children].forEach((other, q) => other.setAttribute("aria-pressed", String(q === this.population)));
        this.redrawScatter();
      });
      return button;
    });
    byId("legend").replaceChildren(...buttons);
  }

  writeCaptions() {
    const drawn = this.data.population.length;
    const some = drawn < this.data.agreement[this.m].n[this.detail] ? `; ${whole(drawn)} drawn` : "";
    byId("scatter-caption").textContent =
      `Each point a person, predicted while held out${some}. Dashed: predicted equals measured. Choose a population to see it alone.`;
    const used = this.model.snpsModel[this.row];
    const shown = this.snps.length;
    const part = shown < used ? `The ${whole(shown)} largest of ${whole(used)} weights` : `All ${whole(shown)} weights`;
    byId("locus-caption").textContent = shown
      ? `${part}. Up (blue): the effect allele raises expression; down (orange): it lowers it. ${this.hasBody() ? "Grey bar: the gene. " : ""}Point at a SNP, or use the arrow keys.`
      : "No SNP has a weight in this model, so everybody is predicted alike.";
  }

  drawScatter(width) {
    const { data, detail } = this;
    if (detail === undefined) return { height: 0, label: "", parts: [] };
    const xs = data.predicted[this.m](detail);
    const ys = data.measured(detail);
    const both = xs.map((x, i) => Number.isFinite(x + ys[i]));
    const height = Math.round(Math.min(330, Math.max(250, width * 0.62)));
    const x = scale(padded(xs.filter((_, i) => both[i])), [40, width - 6]);
    const y = scale(padded(ys.filter((_, i) => both[i])), [height - 42, 22]);
    const parts = [
      axisX(x, { top: 22, bottom: height - 42, label: "predicted, sd" }),
      axisY(y, { left: 40, right: width - 6, label: "measured, sd" }),
      diagonal(x, y),
    ];
    const groups = data.populations.map((_, p) => p).concat(MISSING_BYTE);
    for (const p of groups) {
      const people = Array.from(data.population.keys()).filter((i) => both[i] && data.population[i] === p);
      const faded = this.population >= 0 && this.population !== p ? " faded" : "";
      if (people.length) {
        parts.push(dots(people.map((i) => x(xs[i])), people.map((i) => y(ys[i])), { class: `pop ${colourOf(p)}${faded}` }));
      }
    }
    const { n, pooled } = data.agreement[this.m];
    const label = `Predicted against measured expression of ${data.genes.name[this.row]}: r = ${fixed(pooled[detail])} over ${whole(n[detail])} held-out people.`;
    return { height, label, parts };
  }

  collectSnps() {
    const { first, variant, value } = this.data.weights[this.m];
    const snps = [];
    for (let i = first[this.detail]; i < first[this.detail + 1]; i += 1) snps.push({ variant: variant[i], weight: value[i] });
    return snps;
  }

  drawLocus(width) {
    const { data, row, snps } = this;
    if (this.detail === undefined) return { height: 0, label: "", parts: [] };
    const { genes, variants } = data;
    const bottom = LOCUS_HEIGHT - 42;
    const at = snps.map((snp) => variants.start[snp.variant] + 1);
    const x = scale(padded([...at, genes.start[row] + 1, genes.end[row], genes.tss[row] + 1].map((p) => p / 1e6), 0.04), [48, width - 6]);
    const y = scale(padded([0, ...snps.map((snp) => snp.weight)], 0.14), [bottom, 40]);
    this.xs = at.map((p) => x(p / 1e6));
    this.ys = snps.map((snp) => y(snp.weight));
    const parts = [
      axisX(x, { top: 40, bottom, label: `position on chromosome ${genes.chroms[genes.chrom[row]].replace(/^chr/, "")}, Mb` }),
      axisY(y, { left: 48, right: width - 6, label: "weight, sd per copy", about: 4 }),
      ...this.drawGene(x, y),
    ];
    const radius = snps.length > CROWDED ? 2.5 : 4;
    snps.forEach((snp, i) => {
      const side = snp.weight < 0 ? "down" : "up";
      parts.push(
        svg("line", { x1: this.xs[i], x2: this.xs[i], y1: y(0), y2: this.ys[i], class: `stem ${side}` }),
        svg("circle", { cx: this.xs[i], cy: this.ys[i], r: radius, class: i === this.chosen ? `${side} chosen` : side }),
      );
    });
    const top = this.topSnp();
    if (top >= 0) parts.push(this.labelTop(top, width));
    const strongest = top < 0 ? "none" : this.nameOf(top);
    const label = `Weights of ${whole(snps.length)} SNPs around ${genes.name[row]}; the largest is ${strongest}. Arrow keys go from SNP to SNP.`;
    return { height: LOCUS_HEIGHT, label, parts };
  }

  drawGene(x, y) {
    const { genes } = this.data;
    const { row } = this;
    const from = x((genes.start[row] + 1) / 1e6);
    const to = x(genes.end[row] / 1e6);
    const tss = x((genes.tss[row] + 1) / 1e6);
    const way = { "+": 1, "-": -1 }[genes.strand[row]] ?? 0;
    const arrow = way ? `M${tss} 40V30h${way * 20}m${way * -5} -4l${way * 5} 4l${way * -5} 4` : "";
    const body = svg("rect", { x: from, y: y(0) - 3, width: Math.max(2, to - from), height: 6, rx: 2, class: "body" });
    return [
      ...(this.hasBody() ? [body] : []),
      svg("line", { x1: tss, x2: tss, y1: 40, y2: y.range[0], class: "tss line" }),
      svg("path", { d: arrow, class: "tss" }),
      svg("text", { x: tss + (way < 0 ? 5 : -5), y: 34, "text-anchor": way < 0 ? "start" : "end" }, "TSS"),
    ];
  }

  // Of genes in tables that give a TSS of one base, no more is known.
  hasBody() {
    const { genes } = this.data;
    return genes.end[this.row] - genes.start[this.row] > 1;
  }

  topSnp() {
    return this.snps.reduce((best, snp, i) => (best < 0 || Math.abs(snp.weight) > Math.abs(this.snps[best].weight) ? i : best), -1);
  }

  nameOf(i) {
    const { id, start } = this.data.variants;
    const { variant } = this.snps[i];
    return id[variant] && id[variant] !== "." ? id[variant] : `position ${whole(start[variant] + 1)}`;
  }

  labelTop(i, width) {
    const rightward = this.xs[i] < width * 0.75;
    const down = this.snps[i].weight < 0 ? 14 : -4;
    return svg("text", { x: this.xs[i] + (rightward ? 8 : -8), y: this.ys[i] + down, "text-anchor": rightward ? "start" : "end", class: "strong" }, this.nameOf(i));
  }

  pointAt(event) {
    if (this.snps.length) this.choose(nearest(this.xs, this.ys, pointIn(this.locus, event), 28));
  }

  step(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") this.choose(-1);
    if (!by || !this.snps.length) return;
    event.preventDefault();
    const start = this.chosen < 0 && by < 0 ? 0 : this.chosen;
    this.choose((start + by + this.snps.length) % this.snps.length);
  }

  choose(i) {
    if (i === this.chosen) return;
    this.chosen = i;
    this.redrawLocus();
    this.tip.hidden = i < 0;
    if (i < 0) return;
    const { variants, genes } = this.data;
    const { variant, weight } = this.snps[i];
    const text = [
      this.nameOf(i),
      `${genes.chroms[genes.chrom[this.row]]}:${whole(variants.start[variant] + 1)} ${variants.ref[variant]}>${variants.alt[variant]}`,
      `effect allele ${variants.alt[variant]}, frequency ${fixed(variants.frequency[variant], 2)}`,
      `weight ${weight > 0 ? "+" : ""}${fixed(weight, 4)} sd per copy`,
    ].join("\n");
    showTip(this.tip, text, { x: this.xs[i], y: this.ys[i], width: this.locus.clientWidth });
  }
}

function colourOf(population) {
  return population < COLOURS ? `c${population}` : "rest";
}

// The line where predicted equals measured, cut to the plot.
function diagonal(x, y) {
  const low = Math.max(x.domain[0], y.domain[0]);
  const high = Math.min(x.domain[1], y.domain[1]);
  if (low >= high) return svg("g");
  return svg("line", { x1: x(low), y1: y(low), x2: x(high), y2: y(high), class: "diagonal" });
}
