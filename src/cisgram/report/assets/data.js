// The embedded data: base64 typed arrays (little-endian) made into numbers.

const ARRAYS = { u8: Uint8Array, i16: Int16Array, i32: Int32Array, f32: Float32Array };
const MISSING_BYTE = 255;
const MISSING_SHORT = -32768;

function decode({ type, base64 }) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new ARRAYS[type](bytes.buffer);
}

// Steps of 0.0001, NaN where missing.
function decodeShort(packed) {
  return Float32Array.from(decode(packed), (step) => (step === MISSING_SHORT ? NaN : step / 1e4));
}

// Rows of 255 steps between the least and the greatest value of each gene.
function decodeRows(packed, width) {
  const low = decode(packed.low);
  const high = decode(packed.high);
  const codes = decode(packed.codes);
  return (row) => {
    const step = (high[row] - low[row]) / (MISSING_BYTE - 1);
    return Array.from(codes.subarray(row * width, (row + 1) * width), (code) =>
      code === MISSING_BYTE ? NaN : low[row] + code * step,
    );
  };
}

function decodeModel(packed, label) {
  return {
    id: packed.id,
    label,
    pearson: decodeShort(packed.pearson),
    spearman: decodeShort(packed.spearman),
    r2: decode(packed.r2),
    logP: decode(packed.logP),
    snpsWindow: decode(packed.snpsWindow),
    snpsModel: decode(packed.snpsModel),
    accepted: decode(packed.accepted),
  };
}

function decodeAgreement(packed) {
  return {
    n: decode(packed.n),
    pooled: decodeShort(packed.pooled),
    within: packed.within.map(decodeShort),
    nWithin: packed.nWithin.map(decode),
  };
}

function loadData(text) {
  const raw = JSON.parse(text);
  const population = decode(raw.population);
  const rows = (packed) => decodeRows(packed, population.length);
  const detail = decode(raw.detail);
  return {
    overFolds: raw.overFolds,
    mostWeights: raw.mostWeights,
    summaries: raw.summaries,
    byPopulation: raw.byPopulation,
    genes: {
      ...raw.genes,
      start: decode(raw.genes.start),
      end: decode(raw.genes.end),
      tss: decode(raw.genes.tss),
    },
    rowOf: new Map(raw.genes.id.map((id, row) => [id, row])),
    models: raw.models.map((model, m) => decodeModel(model, raw.labels[m])),
    populations: raw.populations,
    population,
    // Genes drawn person by person: row in the table -> row in what follows.
    detailOf: new Map(Array.from(detail, (row, i) => [row, i])),
    measured: rows(raw.measured),
    predicted: raw.predicted.map(rows),
    agreement: raw.agreement.map(decodeAgreement),
    variants: {
      ...raw.variants,
      start: decode(raw.variants.start),
      frequency: decodeShort(raw.variants.frequency),
    },
    weights: raw.weights.map((packed) => ({
      first: decode(packed.first),
      variant: decode(packed.variant),
      value: decode(packed.value),
    })),
  };
}
