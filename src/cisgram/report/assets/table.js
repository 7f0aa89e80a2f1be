// The gene table: sorted, filtered and paged over arrays, so that 20,000 genes stay quick.

const ROWS = window.matchMedia("(max-width: 66rem)").matches ? 10 : 25;

function geneColumns({ genes }) {
  const place = (_, row) => `${genes.chroms[genes.chrom[row]].replace(/^chr/, "")}:${fixed((genes.tss[row] + 1) / 1e6, 2)}`;
  return [
    { id: "gene", label: "Gene", rising: true, value: (_, row) => genes.name[row] },
    { id: "place", label: "TSS, Mb", minor: true, rising: true, text: place, value: (_, row) => genes.chrom[row] * 1e10 + genes.tss[row] },
    { id: "pearson", label: "r", meter: true, value: (m, row) => m.pearson[row], text: (m, row) => fixed(m.pearson[row]) },
    { id: "spearman", label: "Spearman", minor: true, value: (m, row) => m.spearman[row], text: (m, row) => fixed(m.spearman[row]) },
    { id: "r2", label: "R²", value: (m, row) => m.r2[row], text: (m, row) => fixed(m.r2[row]) },
    { id: "p", label: "p", rising: true, value: (m, row) => -m.logP[row], text: (m, row) => probability(m.logP[row]) },
    { id: "snps", label: "SNPs", title: "SNPs with a weight, of those in the window", minor: true, value: (m, row) => m.snpsModel[row], text: (m, row) => whole(m.snpsModel[row]) },
    { id: "accepted", label: "Accepted", minor: true, value: (m, row) => m.accepted[row], text: (m, row) => ["no", "yes"][m.accepted[row]] ?? "–" },
  ];
}

class GeneTable {
  constructor(data, choose) {
    this.data = data;
    this.choose = choose;
    this.columns = geneColumns(data);
    this.words = data.genes.id.map((id, row) =>
      `${data.genes.name[row]} ${id} ${data.genes.chroms[data.genes.chrom[row]]}`.toLowerCase(),
    );
    this.sort = { id: "pearson", rising: false };
    this.page = 0;
    this.current = -1;
    this.makeHead();
    this.listen();
  }

  makeHead() {
    for (const column of this.columns) {
      const button = html("button", { type: "button", title: column.title }, column.label);
      button.addEventListener("click", () => this.sortBy(column));
      byId("gene-head").append(html("th", { scope: "col", class: column.minor && "minor", "data-column": column.id }, button));
    }
  }

  listen() {
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("input", () => this.select());
    byId("page-back").addEventListener("click", () => this.turn(-1));
    byId("page-on").addEventListener("click", () => this.turn(1));
    byId("download").addEventListener("click", () => this.download());
    byId("gene-rows").addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-row]");
      if (!row || event.target.closest("a") || String(window.getSelection())) return;
      this.choose(Number(row.dataset.row));
    });
    byId("gene-rows").addEventListener("keydown", (event) => {
      const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      const link = step && event.target.closest("tr")[step]?.querySelector("a");
      if (!link) return;
      event.preventDefault();
      link.focus();
    });
  }

  show(model, current) {
    const turned = model !== this.model;
    this.model = model;
    this.current = current;
    if (turned) this.select();
    else this.draw();
  }

  sortBy({ id, rising = false }) {
    this.sort = { id, rising: this.sort.id === id ? !this.sort.rising : rising };
    this.select();
  }

  turn(pages) {
    this.page += pages;
    this.draw();
  }

  // Genes that pass the filters, in order; genes without a value come last either way.
  select() {
    const { id, rising } = this.sort;
    const { value } = this.columns.find((column) => column.id === id);
    const wanted = byId("filter-text").value.trim().toLowerCase();
    const least = byId("filter-least").value === "" ? -Infinity : Number(byId("filter-least").value);
    const accepted = byId("filter-accepted").checked;
    const { pearson, accepted: passes } = this.model;
    const keys = this.words.map((_, row) => value(this.model, row));
    this.rows = this.words.map((_, row) => row).filter(
      (row) =>
        this.words[row].includes(wanted) &&
        (least === -Infinity || pearson[row] >= least) &&
        (!accepted || passes[row] === 1),
    );
    const sign = rising ? 1 : -1;
    this.rows.sort((a, b) => {
      const [x, y] = [keys[a], keys[b]];
      if (typeof x === "string") return sign * x.localeCompare(y, "en", { numeric: true });
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y) || a - b;
    });
    this.page = 0;
    this.draw();
  }

  draw() {
    for (const head of byId("gene-head").children) {
      const here = head.dataset.column === this.sort.id;
      if (here) head.setAttribute("aria-sort", this.sort.rising ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    const pages = Math.max(1, Math.ceil(this.rows.length / ROWS));
    this.page = Math.min(Math.max(0, this.page), pages - 1);
    const rows = this.rows.slice(this.page * ROWS, (this.page + 1) * ROWS);
    byId("gene-rows").replaceChildren(...rows.map((row) => this.drawRow(row)));
    const of = this.rows.length === this.words.length ? "" : ` of ${whole(this.words.length)}`;
    byId("count").textContent = `${whole(this.rows.length)}${of} genes, page ${whole(this.page + 1)} of ${whole(pages)}`;
    byId("page-back").disabled = this.page === 0;
    byId("page-on").disabled = this.page === pages - 1;
  }

  drawRow(row) {
    const line = html("tr", { "data-row": row, "aria-current": row === this.current && "true" });
    for (const { text, value, minor, meter } of this.columns) {
      const cell = html("td", { class: minor && "minor" });
      if (text) cell.append(text(this.model, row));
      else this.nameGene(cell, row);
      if (meter && Number.isFinite(value(this.model, row))) {
        const r = value(this.model, row);
        cell.append(html("span", { class: r < 0 ? "meter below" : "meter", style: `width:${(Math.abs(r) * 2.6).toFixed(2)}rem` }));
      }
      line.append(cell);
    }
    return line;
  }

  // The usual name, and under it the identifier where that is another.
  nameGene(cell, row) {
    const { id, name } = this.data.genes;
    cell.append(html("a", { href: hashOf(id[row], this.model.id) }, name[row]));
    if (id[row] !== name[row]) cell.append(html("span", { class: "identifier" }, id[row]));
  }

  download() {
    const { genes } = this.data;
    const { model } = this;
    const plain = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "NA");
    const head = "gene name chrom tss strand model pearson spearman r2 p_value n_snps_window n_snps_model accepted";
    const lines = this.rows.map((row) =>
      [
        genes.id[row], genes.name[row], genes.chroms[genes.chrom[row]], genes.tss[row] + 1, genes.strand[row], model.id,
        plain(model.pearson[row]), plain(model.spearman[row]), plain(model.r2[row]), plain(10 ** -model.logP[row]),
        model.snpsWindow[row], model.snpsModel[row], ["false", "true"][model.accepted[row]] ?? "NA",
      ].join("\t"),
    );
    const text = [head.replaceAll(" ", "\t"), ...lines, ""].join("\n");
    const link = html("a", {
      href: URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" })),
      download: `genes-${model.id}.tsv`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
