// Making elements, and writing numbers. Texts from files become text nodes and attributes only, never markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(3)) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
  return element;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Says something to people who listen to the page. */
function announce(text) {
  document.getElementById("said").textContent = text;
}

const MINUS = "\u2212";
const NOTHING = "–";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** A cell of a CSV file as a number, or null. `inf` is the time of what never came about. */
function toNumber(text) {
  if (text === "" || text === undefined) return null;
  const number = Number(text.replace("inf", "Infinity"));
  return Number.isNaN(number) ? null : number;
}

function grouped(text) {
  const [whole, decimals] = text.split(".");
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return decimals === undefined ? spaced : `${spaced}.${decimals}`;
}

/** A number for people: four digits that count, thousands grouped. */
function plain(value) {
  if (value === Infinity) return "∞";
  if (!isNumber(value)) return NOTHING;
  const size = Math.abs(value);
  if (size === 0) return "0";
  const sign = value < 0 ? MINUS : "";
  if (size < 1e-4 || size >= 1e15) return sign + size.toPrecision(3).replace("e-", `e${MINUS}`).replace("e+", "e");
  if (size >= 1000 || Number.isInteger(value)) return sign + grouped(String(Math.round(size)));
  return sign + String(Number(size.toPrecision(4)));
}

/** A fraction as a percentage; close to one it has as many nines as it takes. */
function percent(value) {
  if (!isNumber(value)) return NOTHING;
  const missing = 1 - value;
  if (missing > 0 && missing < 0.01) {
    return `${String(Number((value * 100).toFixed(Math.min(6, Math.ceil(-Math.log10(missing))))))}%`;
  }
  return `${plain(Number((value * 100).toPrecision(4)))}%`;
}

const FORMS = { plain, percent, ms: (value) => (isNumber(value) || value === Infinity ? `${plain(value)} ms` : NOTHING) };

/** How the values of a metric are written. */
function formOf(metric) {
  if (metric.endsWith("_ms")) return "ms";
  if (/(\.|_)(success|success_worst|fraction|share|utilization)$/.test(metric) || /\.success\./.test(metric)) return "percent";
  return "plain";
}

/** A number with its exact value within reach: of programs in `value`, of people in the tooltip. */
function shown(value, form) {
  if (!isNumber(value) && value !== Infinity) return el("span", { class: "none", title: "no value, or too few samples for one" }, NOTHING);
  return el("data", { value: String(value), title: String(value) }, FORMS[form](value));
}

function interval(low, high, form) {
  if (!isNumber(low) || (!isNumber(high) && high !== Infinity)) return null;
  return el("span", { class: "interval", title: `${low} to ${high}` }, ` [${FORMS[form](low).replace(/ ms$|%$/, "")}, ${FORMS[form](high)}]`);
}

/** A dotted name that may break after its dots. */
function dotted(name) {
  const parts = name.split(/(?<=[._])/);
  return parts.flatMap((part, at) => (at === 0 ? [part] : [el("wbr"), part]));
}

/** A table of a CSV file: cells under their names. */
class Table {
  constructor({ header, rows }) {
    this.header = header;
    this.rows = rows.map((cells) => Object.fromEntries(header.map((name, at) => [name, cells[at]])));
  }
  has(column) {
    return this.header.includes(column);
  }
}

/** A wide thing that scrolls in itself, also by keyboard. */
const scroller = (label, ...children) => el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, ...children);

function section(id, title, ...children) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), ...children);
}
