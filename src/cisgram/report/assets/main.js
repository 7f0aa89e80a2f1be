// The page's state: a model and a gene, kept in the address as #gene=...&model=...

const data = loadData(byId("data").textContent);
const panel = new GenePanel(data);
const table = new GeneTable(data, (row) => open(row));
const comparison = data.models.length > 1 ? new Comparison(data, (row) => open(row)) : null;
const state = { model: 0, gene: bestGene() };

const redrawMeans = figure("figure-models", (width) => drawMeans(data, state.model, width));
const redrawDistribution = figure("figure-distribution", (width) => drawDistribution(data, state.model, width));
const redrawPopulations = data.byPopulation.length
  ? figure("figure-populations", (width) => drawPopulations(data, state.model, width))
  : () => {};

function hashOf(gene, model) {
  return `#${new URLSearchParams({ gene, model })}`;
}

function bestGene() {
  const { pearson } = data.models[0];
  return pearson.reduce((best, r, row) => (r > (pearson[best] || -2) ? row : best), 0);
}

function open(row) {
  location.hash = hashOf(data.genes.id[row], data.models[state.model].id);
}

// Take model and gene from the address; anything unknown leaves them as they are.
function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const model = data.models.findIndex(({ id }) => id === wanted.get("model"));
  const gene = data.rowOf.get(wanted.get("gene"));
  if (model >= 0) state.model = model;
  if (gene !== undefined) state.gene = gene;
  return gene !== undefined;
}

function showModel() {
  [...byId("switcher").querySelectorAll("input")].forEach((input, m) => (input.checked = m === state.model));
  redrawMeans();
  redrawDistribution();
  redrawPopulations();
}

function showGene() {
  if (!data.genes.id.length) return;
  table.show(data.models[state.model], state.gene);
  panel.show(state.model, state.gene);
  comparison?.show(state.gene);
}

function makeSwitcher() {
  data.models.forEach((model, m) => {
    const input = html("input", { type: "radio", name: "model", value: model.id });
    input.addEventListener("change", () => {
      state.model = m;
      history.replaceState(null, "", hashOf(data.genes.id[state.gene], model.id));
      showModel();
      showGene();
    });
    byId("switcher").append(html("label", {}, input, html("span", {}, model.label)));
  });
}

window.addEventListener("hashchange", () => {
  const before = state.model;
  const chosen = readAddress();
  if (!chosen) return;
  if (state.model !== before) showModel();
  showGene();
  const { top } = byId("panel").getBoundingClientRect();
  if (top > window.innerHeight * 0.6 || top < 0) byId("panel").scrollIntoView({ block: "start" });
});

makeSwitcher();
const linked = readAddress();
showModel();
showGene();
if (linked) byId("panel").scrollIntoView({ block: "start" });
