// Charts of figures: SVG that is drawn again whenever its width, zoom or choice of series changes.

const SHAPES = ["circle", "square", "triangle", "diamond", "wedge", "plus", "cross"];
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "9 3 2 3 2 3"];
const PALETTE_LENGTH = 7;
const FONT = 11.5;
const CHARACTER = 6.3; // mean width of a character at that size

function markPath(shape, x, y, size) {
  const r = size;
  switch (shape) {
    case "square": return `M${x - r * 0.9} ${y - r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`;
    case "triangle": return `M${x} ${y - r * 1.2}L${x + r * 1.1} ${y + r * 0.8}H${x - r * 1.1}z`;
    case "wedge": return `M${x} ${y + r * 1.2}L${x + r * 1.1} ${y - r * 0.8}H${x - r * 1.1}z`;
    case "diamond": return `M${x} ${y - r * 1.3}L${x + r * 1.3} ${y}L${x} ${y + r * 1.3}L${x - r * 1.3} ${y}z`;
    case "plus": {
      const a = r * 0.4, b = r * 1.2;
      return `M${x - a} ${y - b}h${2 * a}v${b - a}h${b - a}v${2 * a}h${a - b}v${b - a}h${-2 * a}v${a - b}h${a - b}v${-2 * a}h${b - a}z`;
    }
    case "cross": {
      const a = r * 0.5, b = r * 1.1;
      return `M${x - b} ${y - b + a}L${x - b + a} ${y - b}L${x} ${y - a}L${x + b - a} ${y - b}L${x + b} ${y - b + a}L${x + a} ${y}L${x + b} ${y + b - a}L${x + b - a} ${y + b}L${x} ${y + a}L${x - b + a} ${y + b}L${x - b} ${y + b - a}L${x - a} ${y}z`;
    }
    default: return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  }
}

const ZERO_ROOM = 24; // of a logarithmic axis, for zeros

/** Values to places and back. A logarithmic axis that begins at 0 has a place for it, before a break. */
class Place {
  constructor(axis, [from, to], least, begin, end) {
    this.isLog = axis.scale === "log";
    this.names = Array.isArray(axis.scale) ? axis.scale : null;
    this.form = axis.form;
    this.hasZero = this.isLog && from === 0;
    this.from = this.hasZero ? Math.min(least, to / 1.0001) : from;
    [this.to, this.begin, this.end] = [to, begin, end];
    this.first = this.hasZero ? begin + Math.sign(end - begin) * ZERO_ROOM : begin;
    this.zero = begin + Math.sign(end - begin) * 7;
  }
  turned(value) {
    return this.isLog ? Math.log10(value) : value;
  }
  at(value) {
    if (this.isLog && value <= 0) return this.hasZero ? this.zero : this.begin + (this.begin - this.end);
    const [from, to] = [this.turned(this.from), this.turned(this.to)];
    return this.first + ((this.turned(value) - from) / (to - from)) * (this.end - this.first);
  }
  back(place) {
    const part = (place - this.first) / (this.end - this.first);
    if (this.hasZero && part < 0) return 0;
    const [from, to] = [this.turned(this.from), this.turned(this.to)];
    const value = from + part * (to - from);
    return this.isLog ? 10 ** value : value;
  }
  can(value) {
    return isNumber(value) && (!this.isLog || value > 0 || (value === 0 && this.hasZero));
  }
  /** What is written along the axis, and where. */
  ticks(spacing) {
    return this.hasZero ? [{ value: 0, text: FORMS[this.form](0) }, ...this.others(spacing)] : this.others(spacing);
  }
  /** Values with a line, and what is written there. */
  others(spacing) {
    const count = Math.max(2, Math.abs(this.end - this.first) / spacing);
    if (this.names) {
      const all = this.names.map((text, value) => ({ value, text }));
      return all.filter(({ value }) => value >= Math.min(this.from, this.to) && value <= Math.max(this.from, this.to));
    }
    const decades = this.isLog ? Math.log10(this.to / this.from) : 0;
    if (this.isLog && decades >= 0.7) {
      const factors = decades * 3 <= count * 1.2 ? [1, 2, 5] : [1];
      const every = Math.max(1, Math.ceil(decades / count));
      const ticks = [];
      for (let power = Math.floor(Math.log10(this.from)); power <= Math.log10(this.to) + 1e-9; power++) {
        if (factors.length === 1 && power % every !== 0) continue;
        for (const factor of factors) {
          const value = Number(`${factor}e${power}`);
          if (value >= this.from * (1 - 1e-9) && value <= this.to * (1 + 1e-9)) ticks.push({ value, text: FORMS[this.form](value) });
        }
      }
      if (ticks.length > 1) return ticks;
    }
    const rough = (this.to - this.from) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const fine = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
    const step = this.isWhole && this.form === "plain" ? Math.max(1, fine) : fine;
    const scale = this.form === "percent" ? 100 : 1;
    const decimals = Math.max(0, -Math.floor(Math.log10(step * scale) + 1e-9));
    const ticks = [];
    for (let number = Math.ceil(this.from / step - 1e-9); number * step <= this.to + step * 1e-9; number++) {
      const value = number * step;
      const size = Math.abs(value) * scale;
      const digits = size !== 0 && (size < 1e-4 || size >= 1e15) ? size.toPrecision(2) : grouped(size.toFixed(decimals));
      ticks.push({ value, text: (value < -step / 2 ? MINUS : "") + digits + (scale === 100 ? "%" : "") });
    }
    return ticks;
  }
}

/** From the least to the greatest value of an axis, with some room; and the least above 0, where that is another. */
function extent(axis, values, hasBars) {
  if (Array.isArray(axis.scale)) return { range: [-0.5, Math.max(axis.scale.length, 1) - 0.5], least: 0 };
  const isLog = axis.scale === "log";
  const all = values.filter(isNumber);
  const usable = isLog ? all.filter((value) => value > 0) : all;
  const bottom = usable.length ? usable.reduce((a, b) => Math.min(a, b)) : isLog ? 0.1 : 0;
  const top = usable.length ? usable.reduce((a, b) => Math.max(a, b)) : 1;
  let [from, to] = hasBars && !isLog ? [Math.min(0, bottom), Math.max(0, top)] : [bottom, top];
  if (isLog) {
    const room = Math.max((to / from) ** 0.04, 1.08);
    [from, to] = [from / room, to * room];
  } else {
    const room = (to - from || Math.abs(to) || 1) * 0.05;
    // Room below zero or above everything would suggest values that cannot be.
    from = from >= 0 && from - room < 0 ? 0 : from - room;
    to += room;
  }
  if (axis.form === "percent" && top <= 1 && to > 1) to = 1;
  const has = (value) => isNumber(value) && (!isLog || value > 0);
  if (has(axis.least)) from = axis.least;
  if (has(axis.most)) to = axis.most;
  if (!(to > from)) to = isLog ? from * 10 : from + 1;
  return { range: [isLog && all.some((value) => value === 0) ? 0 : from, to], least: from };
}

/** Whether there is nothing between whole numbers: no line is needed there. */
const areWhole = (values) => values.every((value) => !isNumber(value) || Number.isInteger(value));

let chartCount = 0;

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.id = `chart-${chartCount++}`;
    this.hidden = new Set();
    this.zoomX = null;
    this.zoomY = figure.panels.map(() => null);
    this.hover = null;
    this.styles = this.styled();
    this.build();
  }

  /** Colour, shape and dashes of each name: they follow its number, so that they are the same in all panels and figures. */
  styled() {
    const styles = new Map();
    for (const series of this.figure.panels.flatMap((panel) => panel.series)) {
      if (styles.has(series.name)) continue;
      const color = series.color % PALETTE_LENGTH;
      const isHollow = Math.floor(series.color / PALETTE_LENGTH) % 2 === 1;
      styles.set(series.name, { color, isHollow, shape: SHAPES[color], dash: series.mark === "dashed" ? "6 4" : DASHES[color], mark: series.mark, isSparse: series.mark === "line" && series.points.length <= 40 });
    }
    return styles;
  }

  build() {
    const { figure } = this;
    this.plot = el("div", { class: "plot" });
    this.tip = el("div", { class: "tip", role: "presentation", hidden: true });
    this.legend = el("div", { class: "legend", role: "group", "aria-label": "Series shown" });
    const button = (text, label, act) => el("button", { type: "button", class: "small", "aria-label": `${label}: ${figure.title}`, title: label, onclick: act }, text);
    this.resetButton = button("Reset", "Show all again", () => this.reset());
    const tools = el("div", { class: "tools" },
      button("+", "Zoom in", () => this.zoomBy(0.5)),
      button(MINUS, "Zoom out", () => this.zoomBy(2)),
      this.resetButton);
    this.element = el("figure", { class: "chart", id: `figure-${figure.name}`, "data-figure": figure.name },
      el("div", { class: "chart-head" }, el("h3", {}, figure.title), tools),
      figure.about && el("p", { class: "about" }, figure.about),
      this.legend,
      this.plot,
      figure.notes.length > 0 && el("ul", { class: "notes" }, figure.notes.map((note) => el("li", {}, note))),
      this.valuesTable());
    this.fillLegend();
    if (typeof ResizeObserver === "function") {
      new ResizeObserver(() => {
        if (Math.abs(this.plot.clientWidth - this.width) > 1) this.draw();
      }).observe(this.plot);
    }
  }

  fillLegend() {
    const names = [...this.styles.keys()].filter((name) => name !== "");
    this.legend.hidden = names.length === 0 || this.styles.size < 2;
    const entries = names.map((name) => el("button", {
      type: "button", class: "entry", "aria-pressed": String(!this.hidden.has(name)), "data-series": name,
      onclick: () => this.toggle(name),
    }, this.swatch(name), el("span", {}, name)));
    const all = names.length > 3 && [
      el("button", { type: "button", class: "small", onclick: () => this.show(names) }, "All"),
      el("button", { type: "button", class: "small", onclick: () => this.show([]) }, "None"),
    ];
    fill(this.legend, {}, [entries, all || []]);
  }

  swatch(name) {
    const style = this.styles.get(name);
    const hasLine = ["line", "step", "dashed"].includes(style.mark);
    return svg("svg", { class: `swatch c${style.color}`, width: 26, height: 12, "aria-hidden": "true" },
      hasLine && svg("path", { class: "line", d: "M1 6H25", "stroke-dasharray": style.dash }),
      style.mark === "bars" && svg("rect", { class: "bar", x: 7, y: 1, width: 12, height: 10 }),
      (style.isSparse || style.mark === "dots") && svg("path", { class: style.isHollow ? "mark hollow" : "mark", d: markPath(style.shape, 13, 6, 4) }));
  }

  show(names) {
    this.hidden = new Set([...this.styles.keys()].filter((name) => name !== "" && !names.includes(name)));
    this.pressed();
  }

  toggle(name) {
    if (!this.hidden.delete(name)) this.hidden.add(name);
    this.pressed();
  }

  pressed() {
    for (const entry of this.legend.querySelectorAll("[data-series]")) {
      entry.setAttribute("aria-pressed", String(!this.hidden.has(entry.dataset.series)));
    }
    this.draw();
  }

  reset() {
    this.zoomX = null;
    this.zoomY = this.figure.panels.map(() => null);
    this.draw();
    announce("All of the chart is shown");
  }

  zoomBy(factor) {
    const x = this.x;
    const middle = (x.begin + x.end) / 2;
    const half = ((x.end - x.begin) / 2) * factor;
    this.zoomX = this.within([x.back(middle - half), x.back(middle + half)], this.fullX);
    this.draw();
    announce(`Shown from ${this.writeX(x.from)} to ${this.writeX(x.to)}`);
  }

  /** A stretch cut to what there is; all of it is no zoom. */
  within([from, to], [least, most]) {
    const cut = [Math.max(from, least), Math.min(to, most)];
    return (cut[0] <= least && cut[1] >= most) || !(cut[1] > cut[0]) ? null : cut;
  }

  writeX(value) {
    return this.x.names ? this.x.names[Math.min(Math.max(Math.round(value), 0), this.x.names.length - 1)] : FORMS[this.figure.x.form](value);
  }

  visible(panel) {
    return panel.series.filter((series) => !this.hidden.has(series.name));
  }

  draw() {
    const { figure } = this;
    const width = Math.max(260, this.plot.clientWidth || 700);
    this.width = this.plot.clientWidth;
    const isNarrow = width < 520;
    const all = figure.panels.flatMap((panel) => panel.series);
    const standing = figure.panels.filter((panel) => !Array.isArray(panel.y.scale)).flatMap((panel) => panel.series).some((series) => series.mark === "bars");
    const lying = figure.panels.filter((panel) => Array.isArray(panel.y.scale)).flatMap((panel) => panel.series).some((series) => series.mark === "bars");
    const xs = all.flatMap((series) => series.points.flatMap((point) => [point.x, ...(point.x_interval || [])]));
    const shades = figure.shades.flatMap((shade) => [shade.from, shade.to]);
    const whole = extent(figure.x, xs.length ? xs : shades, lying);
    if (standing && figure.x.scale === "linear") {
      // Half a bar stands out at both ends.
      const places = [...new Set(xs.filter(isNumber))].sort((a, b) => a - b);
      const gaps = places.slice(1).map((value, at) => value - places[at]);
      const half = gaps.length ? Math.min(...gaps) / 2 : 0.5;
      whole.range = [Math.min(whole.range[0], places[0] - half), Math.max(whole.range[1], places[places.length - 1] + half)];
    }
    this.fullX = whole.range;
    const isMany = figure.panels.length > 1;
    const above = 26;
    let top = 0;
    const ys = figure.panels.map((panel, at) => {
      const names = Array.isArray(panel.y.scale) ? panel.y.scale.length : 0;
      const alone = Math.round(Math.min(380, Math.max(220, width * 0.5)));
      const dots = panel.series.filter((series) => series.mark === "dots" || series.mark === "bars").length;
      const height = names ? names * Math.max(20, 8 * Math.min(dots, 6)) + 10 : isMany ? (figure.panels.length > 3 ? 105 : isNarrow ? 150 : 190) : alone;
      // Panels of one axis share its scale, so that they can be compared.
      const alike = figure.panels.filter((other) => JSON.stringify(other.y) === JSON.stringify(panel.y)).flatMap((other) => other.series);
      const values = alike.flatMap((series) => series.points.flatMap((point) => [point.y, ...(point.y_interval || [])]));
      const { range, least } = extent(panel.y, values, alike.some((series) => series.mark === "bars"));
      // Names go from the top down.
      const shown = names ? [range[1], range[0]] : this.zoomY[at] || range;
      const place = new Place(panel.y, shown, least, top + above + height, top + above);
      place.isWhole = areWhole(values);
      top += above + height + 10;
      return place;
    });
    const ticks = ys.map((y) => y.ticks(y.names ? 14 : 38));
    const longest = Math.max(...ticks.flat().map((tick) => Math.min(tick.text.length, 26)), 2);
    const left = Math.min(longest * CHARACTER + 12, width * 0.4);
    const names = isNarrow ? [] : figure.panels.flatMap((panel) => this.namesAtEdge(panel));
    const right = names.length ? Math.min(170, 18 + CHARACTER * Math.max(...names.map((name) => name.length))) : 20;
    const x = this.x = new Place(figure.x, this.zoomX || this.fullX, whole.least, left, width - right);
    x.isWhole = areWhole(xs);
    const xTicks = x.ticks(isNarrow ? 70 : 85);
    const slot = x.names ? (x.end - x.begin) / (x.to - x.from) : Infinity;
    const widest = x.names ? Math.max(...xTicks.map((tick) => Math.min(tick.text.length, 28)), 1) * CHARACTER : 0;
    const isSlanted = x.names && widest > slot - 6;
    const below = isSlanted ? Math.min(130, widest * 0.62 + 24) : 20;
    const bottom = ys[ys.length - 1].begin;
    const total = bottom + below + 24;

    const root = svg("svg", {
      viewBox: `0 0 ${width} ${total}`, width, height: total, tabindex: 0, role: "img",
      "aria-label": `${figure.title}. Arrow keys go from point to point, plus and minus zoom, 0 shows all.`,
    });
    const clips = svg("defs", {});
    root.append(clips);
    this.spots = [];
    this.whiskers = [];
    figure.panels.forEach((panel, at) => {
      const y = ys[at];
      clips.append(svg("clipPath", { id: `${this.id}-${at}` }, svg("rect", { x: x.begin - 4, y: y.end - 4, width: x.end - x.begin + 8, height: y.begin - y.end + 8 })));
      this.drawFrame(root, x, y, xTicks, ticks[at], panel, at === figure.panels.length - 1, isSlanted, slot);
      const inside = svg("g", { "clip-path": `url(#${this.id}-${at})` });
      this.drawShades(inside, root, x, y, at);
      const marks = svg("g", {});
      const shownSeries = this.visible(panel);
      const bars = shownSeries.filter((series) => series.mark === "bars");
      const dots = shownSeries.filter((series) => series.mark === "dots");
      for (const series of [...shownSeries].sort((a, b) => (b.mark === "dashed") - (a.mark === "dashed"))) {
        marks.append(this.drawSeries(series, x, y, bars, dots, at));
      }
      inside.append(marks);
      root.append(inside);
      this.drawLabels(root, panel, at, x, y, names.length > 0);
    });
    root.append(svg("text", { class: "axis-label", x: (x.begin + x.end) / 2, y: total - 5, "text-anchor": "middle" }, figure.x.label));
    this.cross = svg("g", { class: "cross" });
    this.rubber = svg("rect", { class: "rubber", visibility: "hidden" });
    root.append(this.cross, this.rubber);
    this.ys = ys;
    this.listen(root);
    this.root = root;
    this.plot.replaceChildren(root, this.tip);
    this.tip.hidden = true;
    this.hover = null;
    this.resetButton.disabled = !this.zoomX && !this.zoomY.some((zoom) => zoom);
  }

  drawFrame(root, x, y, xTicks, yTicks, panel, isLast, isSlanted, slot) {
    const frame = svg("g", { class: "frame" });
    const minor = (place, make) => {
      if (!place.isLog || Math.log10(place.to / place.from) > 5) return;
      for (let power = Math.floor(Math.log10(place.from)); power <= Math.log10(place.to); power++) {
        for (let factor = 1; factor < 10; factor++) {
          const value = factor * 10 ** power;
          if (value >= place.from && value <= place.to) frame.append(make(place.at(value)));
        }
      }
    };
    minor(y, (at) => svg("path", { class: "grid minor", d: `M${x.begin} ${at}H${x.end}` }));
    minor(x, (at) => svg("path", { class: "grid minor", d: `M${at} ${y.begin}V${y.end}` }));
    let lastY = null;
    for (const tick of yTicks) {
      const at = y.at(tick.value);
      frame.append(svg("path", { class: "grid", d: `M${x.begin} ${at}H${x.end}` }));
      if (lastY !== null && Math.abs(lastY - at) < 11) continue;
      lastY = at;
      const text = tick.text.length > 26 ? `${tick.text.slice(0, 25)}…` : tick.text;
      frame.append(svg("text", { class: "tick", "data-axis": "y", x: x.begin - 6, y: at + 4, "text-anchor": "end" }, text));
    }
    const every = isSlanted ? Math.max(1, Math.ceil(13 / slot)) : 1;
    let lastEnd = -Infinity;
    xTicks.forEach((tick, number) => {
      const at = x.at(tick.value);
      if (!x.names) frame.append(svg("path", { class: "grid", d: `M${at} ${y.begin}V${y.end}` }));
      if (!isLast || number % every !== 0) return;
      const half = (tick.text.length * CHARACTER) / 2;
      if (isSlanted) {
        const text = tick.text.length > 28 ? `${tick.text.slice(0, 27)}…` : tick.text;
        frame.append(svg("text", { class: "tick", "data-axis": "x", transform: `translate(${at + 4} ${y.begin + 14}) rotate(-38)`, "text-anchor": "end" }, text));
      } else if (at - half > lastEnd + 4) {
        lastEnd = at + half;
        frame.append(svg("text", { class: "tick", "data-axis": "x", x: at, y: y.begin + 16, "text-anchor": "middle" }, tick.text));
      }
    });
    frame.append(svg("path", { class: "edge", d: `M${x.begin} ${y.end}V${y.begin}H${x.end}` }));
    const cut = (d) => frame.append(svg("path", { class: "break", d }));
    if (y.hasZero) cut(`M${x.begin - 4} ${y.first + 7}l8 -4m-8 8l8 -4`);
    if (x.hasZero) cut(`M${x.first - 9} ${y.begin + 4}l4 -8m0 8l4 -8`);
    frame.append(svg("text", { class: "axis-label", x: 2, y: y.end - 9 }, panel.y.label, panel.title && svg("tspan", { class: "panel-title", dx: 10 }, panel.title)));
    root.append(frame);
  }

  drawShades(inside, root, x, y, at) {
    let lastEnd = -Infinity;
    for (const shade of this.figure.shades) {
      const from = Math.max(x.at(shade.from), x.begin);
      const to = Math.min(x.at(shade.to), x.end);
      if (!(to > from)) continue;
      inside.append(svg("rect", { class: "shade", x: from, y: y.end, width: Math.max(1, to - from), height: y.begin - y.end }, svg("title", {}, shade.label)));
      const { y: axis, title } = this.figure.panels[at];
      const half = (shade.label.length * CHARACTER) / 2;
      // Above the first panel, where the name of its axis leaves room for it; else its tooltip has it.
      if (at === 0 && (from + to) / 2 - half > Math.max((axis.label.length + title.length) * 7.2 + 16, lastEnd)) {
        lastEnd = (from + to) / 2 + half + 4;
        root.append(svg("text", { class: "shade-label", x: (from + to) / 2, y: y.end - 5, "text-anchor": "middle" }, shade.label));
      }
    }
  }

  drawSeries(series, x, y, bars, dots, panel) {
    const style = this.styles.get(series.name);
    const group = svg("g", { class: `series c${style.color}${series.pale ? " pale" : ""}`, "data-series": series.name, "data-mark": series.mark });
    const usable = (point) => x.can(point.x) && y.can(point.y);
    const spot = (point, px, py) => {
      const inside = px >= x.begin - 0.5 && px <= x.end + 0.5 && py >= y.end - 0.5 && py <= y.begin + 0.5;
      if (inside) this.spots.push({ px, py, series, point, panel });
    };
    const whisker = (point, px, py) => {
      if (point.y_interval && point.y_interval[0] !== point.y_interval[1]) {
        const [low, high] = point.y_interval.map((value) => y.at(value));
        this.whiskers.push({ panel, box: [px - 2, Math.min(low, high), px + 2, Math.max(low, high)] });
        group.append(svg("path", { class: "whisker", d: `M${px - 3} ${low}h6M${px} ${low}V${high}M${px - 3} ${high}h6` }));
      }
      if (point.x_interval && point.x_interval[0] !== point.x_interval[1] && point.x_interval.every((value) => x.can(value))) {
        const [low, high] = point.x_interval.map((value) => x.at(value));
        this.whiskers.push({ panel, box: [Math.min(low, high), py - 2, Math.max(low, high), py + 2] });
        group.append(svg("path", { class: "whisker", d: `M${low} ${py - 3}v6M${low} ${py}H${high}M${high} ${py - 3}v6` }));
      }
    };
    const mark = (px, py) => svg("path", { class: style.isHollow ? "mark hollow" : "mark", d: markPath(style.shape, px, py, 3.8) });
    if (series.mark === "bars") {
      // Bars lie where names are written from top to bottom, and stand otherwise.
      const isLying = Boolean(y.names);
      const [along, across] = isLying ? [y, x] : [x, y];
      const value = (point) => (isLying ? [point.y, point.x] : [point.x, point.y]);
      const places = [...new Set(bars.flatMap((one) => one.points.map((point) => along.at(value(point)[0]))))].sort((a, b) => a - b);
      const gaps = places.slice(1).map((place, at) => place - places[at]);
      const room = gaps.length ? Math.min(...gaps) : Math.min(80, Math.abs(along.end - along.begin) / 2);
      const one = (room * 0.8) / bars.length;
      const zero = across.isLog ? across.begin : across.at(Math.max(Math.min(across.from, across.to), Math.min(0, Math.max(across.from, across.to))));
      for (const point of series.points.filter(usable)) {
        const [where, size] = value(point);
        const middle = along.at(where) + (bars.indexOf(series) - (bars.length - 1) / 2) * one;
        const end = across.at(size);
        const [px, py] = isLying ? [end, middle] : [middle, end];
        const [long, thick] = [Math.max(0.5, Math.abs(end - zero)), Math.max(1, one * 0.92)];
        group.append(svg("rect", {
          class: "bar", x: isLying ? Math.min(end, zero) : middle - thick / 2, y: isLying ? middle - thick / 2 : Math.min(end, zero),
          width: isLying ? long : thick, height: isLying ? thick : long,
        }));
        whisker(point, px, py);
        spot(point, px, py);
      }
      return group;
    }
    if (series.mark === "dots") {
      // Where an axis has names, dots of several series would hide each other.
      const named = [...new Set(dots.map((one) => one.name))];
      const slot = y.names ? Math.abs(y.at(0) - y.at(1)) : x.names ? Math.abs(x.at(1) - x.at(0)) : 0;
      const offset = (named.indexOf(series.name) - (named.length - 1) / 2) * Math.min(9, (slot * 0.7) / named.length);
      for (const point of series.points.filter(usable)) {
        const px = x.at(point.x) + (x.names ? offset : 0);
        const py = y.at(point.y) + (y.names ? offset : 0);
        whisker(point, px, py);
        group.append(mark(px, py));
        spot(point, px, py);
      }
      return group;
    }
    let line = "";
    let band = [];
    let isDown = false;
    const places = [];
    const endBand = () => {
      if (band.length > 1) {
        const upper = band.map((b) => `${b.px} ${b.high}`);
        const lower = [...band].reverse().map((b) => `${b.px} ${b.low}`);
        group.append(svg("path", { class: "band", d: `M${upper.join("L")}L${lower.join("L")}z` }));
      }
      band = [];
    };
    for (const point of series.points) {
      if (!usable(point)) {
        isDown = false;
        endBand();
        continue;
      }
      const [px, py] = [x.at(point.x), y.at(point.y)];
      if (!isDown) line += `M${px} ${py}`;
      else line += series.mark === "step" ? `H${px}V${py}` : `L${px} ${py}`;
      isDown = true;
      if (point.y_interval && series.mark !== "dashed") {
        const [low, high] = point.y_interval.map((value) => y.at(value));
        if (series.mark === "step" && band.length) band.push({ ...band[band.length - 1], px });
        band.push({ px, low, high });
      } else endBand();
      places.push([px, py]);
      spot(point, px, py);
    }
    endBand();
    // Dots that stand close make a line thick; there the dashes alone tell series apart.
    const isSparse = series.mark === "line" && places.length > 0 && (x.end - x.begin) / places.length > 16;
    group.append(svg("path", { class: `line${series.mark === "dashed" ? " thin" : ""}`, d: line, "stroke-dasharray": style.dash }));
    if (isSparse || (places.length === 1 && series.mark !== "dashed")) group.append(...places.map(([px, py]) => mark(px, py)));
    return group;
  }

  lines(panel) {
    return panel.series.filter((series) => series.name !== "" && (series.mark === "line" || series.mark === "step"));
  }

  /** Names of lines that reach the right edge: they are written beside it. */
  namesAtEdge(panel) {
    const lines = this.lines(panel);
    const names = [...new Set(lines.map((series) => series.name))];
    if (this.styles.size < 2 || names.length > 9 || lines.length > names.length) return [];
    const last = Math.max(...lines.flatMap((series) => series.points.filter((point) => isNumber(point.y)).map((point) => point.x)));
    const place = (value) => (this.figure.x.scale === "log" ? Math.log10(Math.max(value, 1e-12)) : value);
    const [from, to] = this.fullX.map(place);
    return place(last) > from + (to - from) * 0.93 ? names.map((name) => (name.length > 24 ? `${name.slice(0, 23)}…` : name)) : [];
  }

  /** Names of lines and labels of points, where they hide neither each other nor other points. */
  drawLabels(root, panel, number, x, y, hasEdge) {
    const spots = this.spots.filter((spot) => spot.panel === number);
    const taken = spots.map(({ px, py }) => [px - 4, py - 4, px + 4, py + 4]);
    const whiskers = this.whiskers.filter((one) => one.panel === number).map((one) => one.box);
    const hits = ([a, b, c, d], boxes) => boxes.some(([e, f, g, h]) => a < g && c > e && b < h && d > f);
    const write = (text, px, py, attributes) => {
      const w = text.length * CHARACTER;
      const beside = [[7, 4, "start"], [-7, 4, "end"], [0, -8, "middle"], [0, 17, "middle"], [7, -6, "start"], [7, 14, "start"], [-7, -6, "end"], [-7, 14, "end"]];
      // Rather across a whisker than nowhere.
      for (const [dx, dy, anchor, across] of [...beside, ...beside.map((place) => [...place, true])]) {
        const begin = px + dx - (anchor === "end" ? w : anchor === "middle" ? w / 2 : 0);
        const box = [begin, py + dy - 9, begin + w, py + dy + 2];
        if (box[0] < x.begin || box[2] > x.end + 12 || box[1] < y.end - 2 || box[3] > y.begin || hits(box, taken) || (!across && hits(box, whiskers))) continue;
        taken.push(box);
        root.append(svg("text", { ...attributes, x: px + dx, y: py + dy, "text-anchor": anchor }, text));
        return;
      }
    };
    this.drawEndings(root, panel, x, y, hasEdge, write);
    const done = new Set();
    for (const spot of spots) {
      const text = spot.point.label;
      const key = `${text} ${Math.round(spot.px)} ${Math.round(spot.py)}`;
      if (!text || done.has(key) || (spot.series.mark === "bars" && text.length * CHARACTER > 60)) continue;
      done.add(key);
      write(text, spot.px, spot.py, { class: "point-label" });
    }
  }

  drawEndings(root, panel, x, y, hasEdge, write) {
    if (this.styles.size < 2) return;
    const ends = [];
    const written = new Set();
    for (const series of this.lines(panel)) {
      if (this.hidden.has(series.name) || written.has(series.name)) continue;
      const usable = series.points.filter((point) => x.can(point.x) && y.can(point.y) && point.x <= x.to && point.x >= x.from);
      if (!usable.length) continue;
      written.add(series.name);
      const last = usable[usable.length - 1];
      const py = Math.min(Math.max(y.at(last.y), y.end), y.begin);
      const px = x.at(last.x);
      const color = this.styles.get(series.name).color;
      const text = series.name.length > 24 ? `${series.name.slice(0, 23)}…` : series.name;
      if (hasEdge && px > x.begin + (x.end - x.begin) * 0.93) ends.push({ text, px, py, place: py, color });
      else write(text, px, py, { class: `ending c${color}` });
    }
    ends.sort((a, b) => a.py - b.py);
    const need = 13;
    ends.forEach((end, at) => { if (at > 0) end.place = Math.max(end.place, ends[at - 1].place + need); });
    let limit = y.begin + 4;
    for (const end of [...ends].reverse()) {
      end.place = Math.min(end.place, limit);
      limit = end.place - need;
    }
    if (ends.length && ends[0].place < y.end - 12) return; // more names than lines of text
    for (const end of ends) {
      if (Math.abs(end.place - end.py) > 5 || end.px < x.end - 3) root.append(svg("path", { class: `leader c${end.color}`, d: `M${end.px + 2} ${end.py}L${x.end + 5} ${end.place}` }));
      root.append(svg("text", { class: `ending c${end.color}`, x: x.end + 8, y: end.place + 4 }, end.text));
    }
  }

  listen(root) {
    const place = (event) => {
      const box = root.getBoundingClientRect();
      const scale = box.width ? this.root.viewBox.baseVal.width / box.width : 1;
      return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    };
    const panelAt = (py) => {
      const middle = this.ys.map((y) => (y.begin + y.end) / 2);
      return middle.reduce((best, m, at) => (Math.abs(m - py) < Math.abs(middle[best] - py) ? at : best), 0);
    };
    root.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const [px, py] = place(event);
      this.drag = { px, py, panel: panelAt(py) };
      if (event.isTrusted) root.setPointerCapture(event.pointerId);
    });
    root.addEventListener("pointermove", (event) => {
      const [px, py] = place(event);
      if (this.drag && (Math.abs(px - this.drag.px) > 4 || Math.abs(py - this.drag.py) > 4)) {
        this.stretch = this.stretched(px, py);
        const { left, right, top, bottom } = this.stretch;
        fill(this.rubber, { x: left, y: top, width: right - left, height: bottom - top, visibility: "visible" }, []);
        this.leave();
      } else this.pointAt(px, py, panelAt(py));
    });
    root.addEventListener("pointerup", () => {
      const { stretch, drag } = this;
      this.drag = this.stretch = null;
      if (!stretch || !drag) return;
      const y = this.ys[drag.panel];
      if (stretch.hasX) this.zoomX = this.within([this.x.back(stretch.left), this.x.back(stretch.right)], this.fullX);
      if (stretch.hasY) this.zoomY[drag.panel] = this.within([y.back(stretch.bottom), y.back(stretch.top)], [-Infinity, Infinity]);
      this.draw();
    });
    root.addEventListener("pointercancel", () => {
      this.drag = this.stretch = null;
      this.rubber.setAttribute("visibility", "hidden");
    });
    root.addEventListener("pointerleave", () => this.leave());
    root.addEventListener("blur", () => this.leave());
    root.addEventListener("dblclick", () => this.reset());
    root.addEventListener("keydown", (event) => this.key(event));
  }

  /** What a drag has marked: a rectangle, or a stretch of one axis if it hardly moved along the other. */
  stretched(px, py) {
    const { x, drag } = this;
    const y = this.ys[drag.panel];
    const inX = (value) => Math.min(Math.max(value, x.begin), x.end);
    const inY = (value) => Math.min(Math.max(value, y.end), y.begin);
    const hasX = Math.abs(px - drag.px) > 8 || Math.abs(py - drag.py) <= 8;
    const hasY = Math.abs(py - drag.py) > 12 && !y.names;
    return {
      hasX, hasY,
      left: hasX ? inX(Math.min(px, drag.px)) : x.begin, right: hasX ? inX(Math.max(px, drag.px)) : x.end,
      top: hasY ? inY(Math.min(py, drag.py)) : y.end, bottom: hasY ? inY(Math.max(py, drag.py)) : y.begin,
    };
  }

  pointAt(px, py, panel) {
    let best = null;
    for (const spot of this.spots) {
      if (spot.panel !== panel) continue;
      const distance = (spot.px - px) ** 2 + (spot.py - py) ** 2;
      if (!best || distance < best.distance) best = { distance, spot };
    }
    if (best) this.point(best.spot);
  }

  point(spot) {
    this.hover = spot;
    const { figure, x } = this;
    const { series, point, px, py } = spot;
    const panel = figure.panels[spot.panel];
    const name = series.name || panel.title || panel.y.label;
    this.cross.replaceChildren(
      svg("path", { class: "hair", d: `M${px} ${this.ys[this.ys.length - 1].begin}V${this.ys[0].end}M${x.begin} ${py}H${x.end}` }),
      svg("circle", { class: `ring c${this.styles.get(series.name).color}`, cx: px, cy: py, r: 6 }));
    const value = (axis, number, range) => {
      const write = (one) => (Array.isArray(axis.scale) ? (axis.scale[one] ?? String(one)) : FORMS[axis.form](one));
      const spread = range && range[0] !== range[1] ? ` [${write(range[0])}, ${write(range[1])}]` : "";
      return write(number) + spread;
    };
    const row = (axis, number, range) => el("div", {}, el("span", { class: "what" }, `${axis.label}: `), el("b", {}, value(axis, number, range)));
    this.tip.replaceChildren(
      el("div", { class: "who" }, this.swatch(series.name), el("span", {}, panel.title && series.name ? `${name} (${panel.title})` : name)),
      ...(point.label && point.label !== series.name ? [el("div", {}, point.label)] : []),
      row(panel.y, point.y, point.y_interval), row(figure.x, point.x, point.x_interval));
    this.tip.hidden = false;
    const scale = this.root.getBoundingClientRect().width / this.root.viewBox.baseVal.width || 1;
    const [w, h] = [this.tip.offsetWidth, this.tip.offsetHeight];
    const right = px * scale + 14;
    this.tip.style.left = `${Math.max(0, right + w > this.plot.clientWidth ? px * scale - 14 - w : right)}px`;
    this.tip.style.top = `${Math.max(0, Math.min(py * scale - h - 10 < 0 ? py * scale + 14 : py * scale - h - 10, this.plot.clientHeight - h))}px`;
    return `${name}${point.label ? `, ${point.label}` : ""}: ${panel.y.label} ${value(panel.y, point.y, point.y_interval)}, ${figure.x.label} ${value(figure.x, point.x, point.x_interval)}`;
  }

  leave() {
    this.hover = null;
    this.tip.hidden = true;
    this.cross.replaceChildren();
  }

  key(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") this.zoomBy(0.5);
    else if (event.key === "-") this.zoomBy(2);
    else if (event.key === "0") this.reset();
    else if (event.key === "Escape") this.leave();
    else if (event.key in steps) this.step(event.key, steps[event.key]);
    else return;
    event.preventDefault();
    // Drawing has replaced the element that had the focus.
    if (document.activeElement !== this.root) this.root.focus({ preventScroll: true });
  }

  step(key, by) {
    if (!this.spots.length) return;
    const now = this.hover || this.spots[0];
    const rows = [];
    for (const spot of this.spots) {
      const row = rows.find(([first]) => first.series === spot.series);
      if (row) row.push(spot);
      else rows.push([spot]);
    }
    const at = rows.findIndex(([first]) => first.series === now.series);
    let next = now;
    if (this.hover && (key === "ArrowLeft" || key === "ArrowRight")) {
      const row = [...rows[at]].sort((a, b) => a.px - b.px);
      next = row[Math.min(Math.max(row.indexOf(now) + by, 0), row.length - 1)];
    } else if (this.hover) {
      const row = rows[(at + by + rows.length) % rows.length];
      next = row.reduce((best, spot) => (Math.abs(spot.px - now.px) < Math.abs(best.px - now.px) ? spot : best));
    }
    announce(this.point(next));
  }

  /** All values as a table, made when somebody asks for it. */
  valuesTable() {
    const { figure } = this;
    const holder = el("div", {});
    const write = (axis, number) => (Array.isArray(axis.scale) ? (axis.scale[number] ?? String(number)) : isNumber(number) ? String(number) : NOTHING);
    const make = () => {
      if (holder.firstChild) return;
      const rows = figure.panels.flatMap((panel) => panel.series.flatMap((series) => series.points.map((point) => [
        series.name || panel.title, panel.y.label, write(figure.x, point.x), write(panel.y, point.y),
        point.y_interval ? `${point.y_interval[0]} to ${point.y_interval[1]}` : "", point.label || "",
      ])));
      const head = ["series", "of", figure.x.label, "value", "interval", "label"];
      const used = head.map((_, at) => at < 4 || rows.some((row) => row[at] !== ""));
      const cells = (row, tag) => el("tr", {}, row.filter((_, at) => used[at]).map((text) => el(tag, tag === "th" ? { scope: "col" } : {}, text)));
      holder.append(scroller(`Values of ${figure.title}`, el("table", {}, el("thead", {}, cells(head, "th")), el("tbody", {}, rows.map((row) => cells(row, "td"))))));
    };
    return el("details", { class: "values", ontoggle: make }, el("summary", {}, "Values"), holder);
  }
}
