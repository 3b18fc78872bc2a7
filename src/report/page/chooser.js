// Of a sweep: choose N, R and W (or whatever its axes are), and see what a client would then meet.

const OPERATIONS = ["get", "put", "update"];
const QUANTILES = [["p50_ms", "P50"], ["p99_ms", "P99"], ["p999_ms", "P99.9"]];

/** The settings of a sweep with their numbers, and what is known of two of them together. */
class Sweep {
  constructor() {
    const { summary, tables } = DATA;
    this.axes = summary.axes;
    this.table = new Table(tables.settings);
    this.windows = new Table(tables.windows);
    this.staleness = new Table(tables.staleness);
    this.differences = new Table(tables.differences);
    const rows = new Map(this.table.rows.map((row) => [Number(row.setting), row]));
    this.settings = summary.settings.map((setting) => ({ ...setting, row: rows.get(setting.setting) || {} }));
    this.frontier = summary.frontier || null;
    // With fewer seeds the interval is the range: a 95 % interval of a median takes six values.
    this.spread = summary.seeds.length < 6 ? "least and greatest over the seeds" : "95 % interval of the median over the seeds";
    this.metrics = this.table.header.filter((name) => this.table.has(`${name}.low`));
  }

  get(number) {
    return this.settings.find((setting) => setting.setting === number);
  }

  name(setting) {
    const values = this.axes.map(({ name }) => `${name}=${setting.values[name]}`);
    return values.length ? values.join(" ") : "the only setting";
  }

  /** Median over the seeds with its interval. */
  metric(setting, metric) {
    const cell = (suffix) => toNumber(setting.row[metric + suffix]);
    return { value: cell(""), low: cell(".low"), high: cell(".high") };
  }

  fresh(setting, after) {
    const row = this.staleness.rows.find((one) => Number(one.setting) === setting.setting && Number(one.after_ms) === after);
    return row ? { value: toNumber(row.fresh), low: toNumber(row.low), high: toNumber(row.high), note: `${plain(toNumber(row.reads))} reads` } : { value: null };
  }

  /** The least success of an operation in a window of a fault or phase. */
  worst(setting, operation) {
    const column = `${operation}.success`;
    const own = this.windows.rows.filter((row) => Number(row.setting) === setting.setting && !["before", "after"].includes(row.window));
    // `during` is all faults together; each by itself says more.
    const single = own.filter((row) => row.window !== "during");
    let worst = { value: null };
    for (const row of single.length ? single : own) {
      const value = toNumber(row[column]);
      if (value === null || (worst.value !== null && value >= worst.value)) continue;
      worst = { value, low: toNumber(row[`${column}.low`]), high: toNumber(row[`${column}.high`]), note: `in ${row.window}` };
    }
    return worst;
  }

  /** How two settings differ, seed by seed where that is known. */
  paired(setting, versus, metric) {
    const find = (a, b) => this.differences.rows.find((row) => Number(row.setting) === a.setting && Number(row.versus) === b.setting && row.metric === metric);
    const there = find(setting, versus);
    if (there) return { value: toNumber(there.difference), low: toNumber(there.low), high: toNumber(there.high), isPaired: true };
    const back = find(versus, setting);
    const turned = (text) => (toNumber(text) === null ? null : 0 - toNumber(text));
    return back ? { value: turned(back.difference), low: turned(back.high), high: turned(back.low), isPaired: true } : null;
  }
}

/** What R + W against N means, in plain words. */
function guarantee({ n, r, w, quorum }) {
  const meets = r + w > n;
  const isSloppy = quorum === "sloppy";
  const sum = `R + W = ${r + w} ${meets ? ">" : "≤"} N = ${n}`;
  const overlap = !meets
    ? "A read may ask only replicas that a write has not reached yet. Nothing is promised but that reads become fresh in time; how often they are stale is below."
    : isSloppy
      ? "Every R replicas and every W replicas of a key have one in common. But the quorum is sloppy: while replicas cannot be reached, stand-ins answer for them, and a read may miss a write that was acknowledged."
      : "Every R replicas and every W replicas of a key have one in common. With a strict quorum reads are therefore regular: one that begins after a write was acknowledged returns that write or a newer one, unless a replica loses its disk. A read during a write may return the old value or the new one.";
  const lost = w === 1 ? "A write is acknowledged with one copy: if that node is lost before others have it, so is the write."
    : `A write is acknowledged with ${w} copies: it outlives the loss of any ${w - 1 === 1 ? "one of them" : `${w - 1} of them`}.`;
  const down = isSloppy
    ? "With replicas down, stand-ins take their place where the scenario lets them count: reads and writes then go on while enough nodes can be reached."
    : `A read needs ${r} of a key's ${n} replicas up, a write ${w}.`;
  return { sum, kind: meets ? (isSloppy ? "weakened" : "regular") : "eventual", words: [overlap, down, lost] };
}

/** What is chosen by: N, R and W where they tell settings apart, and the axes that say something else. */
function dimensions(sweep) {
  const { settings, axes } = sweep;
  const ofAxis = ({ name, values }) => ({ name, label: name, values: values.map(String), of: (one) => String(one.values[name]), isQuorum: false });
  const hasQuorums = settings.every(({ n, r, w }) => isNumber(n) && isNumber(r) && isNumber(w));
  const triple = ({ n, r, w }) => `${n} ${r} ${w}`;
  if (!hasQuorums || new Set(settings.map(triple)).size < 2) return axes.map(ofAxis);
  const quorums = ["n", "r", "w"].map((name) => ({
    name, label: name.toUpperCase(), isQuorum: true, of: (one) => String(one[name]),
    // What was skipped is shown too: its axis may have values that no setting has.
    values: [...new Set([...settings.map((one) => one[name]), ...axes.filter((axis) => axis.name === name).flatMap((axis) => axis.values.map(Number).filter(isNumber))])].sort((a, b) => a - b).map(String),
  }));
  const others = axes.filter((axis) => {
    const known = new Map();
    return settings.some((one) => {
      const value = String(one.values[axis.name]);
      if (!known.has(triple(one))) known.set(triple(one), value);
      return known.get(triple(one)) !== value;
    });
  }).map(ofAxis);
  const all = [...quorums, ...others];
  const places = new Set(settings.map((one) => all.map((dimension) => dimension.of(one)).join("\n")));
  return places.size === settings.length ? all : axes.map(ofAxis);
}

class Chooser {
  constructor(sweep) {
    this.sweep = sweep;
    this.dimensions = dimensions(sweep);
    // Where most readers begin: as Dynamo was run (§6), else with the first on the frontier.
    this.chosen = sweep.settings.find(({ n, r, w }) => n === 3 && r === 2 && w === 2) || (sweep.frontier && sweep.get(sweep.frontier.best[0])) || sweep.settings[0];
    this.before = null;
    this.pinned = null;
    this.times = [...new Set(sweep.staleness.rows.map((row) => Number(row.after_ms)))].filter(Number.isFinite).sort((a, b) => a - b);
    const later = this.times.findIndex((time) => time >= 10);
    this.after = later < 0 ? this.times.length - 1 : later;
    this.controls = el("div", { class: "controls" });
    this.reasons = el("ul", { class: "reasons" });
    this.verdict = el("div", { class: "verdict", "aria-live": "polite" });
    this.results = el("div", {});
    this.element = el("div", { class: "chooser" }, this.controls, this.reasons, this.verdict, this.slider(), this.results);
    this.draw();
  }

  slider() {
    if (this.times.length < 2) return null;
    this.afterText = el("output", { for: "after" });
    const input = el("input", {
      type: "range", id: "after", min: 0, max: this.times.length - 1, step: 1, value: this.after,
      oninput: (event) => {
        this.after = Number(event.target.value);
        this.drawAfter();
        this.drawResults();
      },
    });
    this.afterInput = input;
    this.drawAfter();
    return el("p", { class: "after" }, el("label", { for: "after" }, "Time since the write was acknowledged: "), input, " ", this.afterText);
  }

  drawAfter() {
    const text = `${plain(this.times[this.after])} ms`;
    this.afterText.textContent = text;
    this.afterInput.setAttribute("aria-valuetext", text);
  }

  /** The setting with one value changed, or why there is none. */
  with(dimension, value) {
    const wanted = (one) => this.dimensions.every((other) => (other === dimension ? value : other.of(this.chosen)) === other.of(one));
    const setting = this.sweep.settings.find(wanted);
    if (setting) return { setting };
    const skipped = DATA.summary.skipped.find(({ values }) => this.sweep.axes.every(({ name }) => {
      const target = name === dimension.name ? value : this.chosen.values[name];
      return String(values[name]) === String(target);
    }));
    return { because: skipped ? `skipped: ${skipped.because}` : "not in the sweep" };
  }

  choose(number) {
    const setting = this.sweep.get(number);
    if (!setting || setting === this.chosen) return;
    this.before = this.chosen;
    this.chosen = setting;
    this.draw();
    if (this.onchoose) this.onchoose(setting);
  }

  draw() {
    const focused = document.activeElement && document.activeElement.id;
    const reasons = [];
    const groups = this.dimensions.map((dimension, at) => {
      const now = dimension.of(this.chosen);
      const options = dimension.values.map((value) => ({ value, ...this.with(dimension, value) }));
      for (const { value, because } of options.filter((option) => option.because)) reasons.push(`${dimension.label} = ${value}: ${because}`);
      const pick = (value) => this.choose(options.find((option) => option.value === value).setting.setting);
      if (!dimension.isQuorum && this.dimensions.some((other) => other.isQuorum)) {
        return el("label", { class: "axis" }, el("span", {}, dimension.label),
          el("select", { id: `axis-${at}`, "data-axis": dimension.name, onchange: (event) => pick(event.target.value) }, options.map(({ value, because }) =>
            el("option", { value, selected: value === now, disabled: Boolean(because), title: because }, because ? `${value} (${because.split(":")[0]})` : value))));
      }
      return el("fieldset", { class: "axis" }, el("legend", {}, dimension.label), options.map(({ value, because }, place) =>
        el("label", { class: because ? "option off" : "option", title: because },
          el("input", { type: "radio", id: `axis-${at}-${place}`, name: `axis-${at}`, "data-axis": dimension.name, value, checked: value === now, disabled: Boolean(because), onchange: () => pick(value) }),
          el("span", {}, value))));
    });
    this.controls.replaceChildren(...groups);
    this.reasons.replaceChildren(...reasons.map((text) => el("li", {}, text)));
    this.reasons.hidden = reasons.length === 0;
    const back = focused && document.getElementById(focused);
    if (back && this.controls.contains(back)) back.focus();
    this.drawVerdict();
    this.drawResults();
  }

  jump(number) {
    const setting = this.sweep.get(number);
    return el("button", { type: "button", class: "link", onclick: () => this.choose(number) }, setting ? this.sweep.name(setting) : `setting ${number}`);
  }

  drawVerdict() {
    const { sweep, chosen } = this;
    const parts = [el("p", { class: "chosen" }, "Setting ", el("data", { value: chosen.setting, id: "chosen" }, String(chosen.setting)), ": ", el("strong", {}, sweep.name(chosen)),
      chosen.quorum && isNumber(chosen.n) ? `, ${chosen.quorum} quorum` : "", isNumber(chosen.nodes) ? `, ${chosen.nodes} nodes` : "")];
    if (isNumber(chosen.n) && isNumber(chosen.r) && isNumber(chosen.w)) {
      const { sum, kind, words } = guarantee(chosen);
      parts.push(el("p", { id: "guarantee", class: `guarantee ${kind}` }, el("strong", {}, `${sum}. `), words.join(" ")));
    }
    if (sweep.frontier) {
      const { best, dominated, of } = sweep.frontier;
      const under = dominated.find((one) => one.setting === chosen.setting);
      const names = of.join(", ");
      if (best.includes(chosen.setting)) parts.push(el("p", { id: "frontier", class: "best" }, el("strong", {}, "On the frontier: "), `no other setting that it is compared with is better in one of ${names} and worse in none.`));
      else if (under) parts.push(el("p", { id: "frontier", class: "dominated" }, el("strong", {}, "Dominated "), "by ", under.by.map((number, at) => [at > 0 ? ", " : "", this.jump(number)]), under.text ? `. ${under.text}` : "."));
      else parts.push(el("p", { id: "frontier" }, `Neither on the frontier nor dominated: ${names} were not all measured.`));
    }
    this.verdict.replaceChildren(...parts);
  }

  rows() {
    const { sweep } = this;
    const rows = [];
    const has = (metric) => sweep.settings.some((setting) => sweep.metric(setting, metric).value !== null);
    const metric = (name, label, group) => has(name) && rows.push({ key: name, label, group, form: formOf(name), metric: name, of: (setting) => sweep.metric(setting, name), isLog: name.endsWith("_ms") });
    metric("stale.fraction", "Stale reads, of all", "Staleness");
    if (this.times.length > 0) {
      const fresh = (time, label, key) => rows.push({ key, label, group: "Staleness", form: "percent", of: (setting) => sweep.fresh(setting, time) });
      if (this.times[0] === 0) fresh(0, "P(fresh) right after the write", "fresh.0");
      if (this.times.length > 1) fresh(this.times[this.after], `P(fresh) after ${plain(this.times[this.after])} ms`, "fresh.after");
    }
    for (const operation of OPERATIONS) {
      for (const [suffix, label] of QUANTILES) metric(`${operation}.latency.${suffix}`, `${operation} ${label}`, "Latency");
    }
    for (const operation of OPERATIONS) {
      if (sweep.settings.some((setting) => sweep.worst(setting, operation).value !== null)) {
        rows.push({ key: `worst.${operation}`, label: `${operation} succeeds, at worst`, group: "While something is down", form: "percent", of: (setting) => sweep.worst(setting, operation) });
      }
    }
    const extra = sweep.frontier ? sweep.frontier.of.filter((name) => !rows.some((row) => row.metric === name)) : [];
    for (const name of extra) metric(name, dotted(name), "Also compared by the frontier");
    return rows;
  }

  difference(row, versus) {
    if (!versus || versus === this.chosen) return null;
    const paired = row.metric && this.sweep.paired(this.chosen, versus, row.metric);
    if (paired && paired.value !== null) return paired;
    const [now, then] = [row.of(this.chosen).value, row.of(versus).value];
    return !isNumber(now) || !isNumber(then) ? null : { value: now - then, isPaired: false };
  }

  drawDifference(row, versus) {
    const difference = this.difference(row, versus);
    if (!difference) return NOTHING;
    const unit = row.form === "percent" ? "plain" : row.form;
    const scale = row.form === "percent" ? 100 : 1;
    const exact = Number((difference.value * scale).toPrecision(10));
    const sign = exact > 0 ? "+" : "";
    const points = row.form === "percent" ? " points" : "";
    const range = difference.isPaired && isNumber(difference.low) && isNumber(difference.high)
      ? el("span", { class: "interval" }, ` [${FORMS.plain(difference.low * scale)}, ${FORMS.plain(difference.high * scale)}]`) : null;
    return [el("data", { value: String(difference.value), title: difference.isPaired ? `median over the seeds of the difference; in brackets: ${this.sweep.spread}` : "difference of the two numbers; these settings were not paired by seed" }, sign + FORMS[unit](Number(exact.toPrecision(4))) + points), range, difference.isPaired ? "" : el("span", { class: "interval" }, " *")];
  }

  /** Where a number lies among those of all settings. */
  strip(row, versus) {
    const values = this.sweep.settings.map((setting) => ({ setting, ...row.of(setting) })).filter((one) => isNumber(one.value));
    if (values.length < 2) return null;
    const isLog = row.isLog && values.every((one) => one.value > 0);
    const turned = (value) => (isLog ? Math.log10(Math.max(value, 1e-9)) : value);
    const all = values.map((one) => turned(one.value));
    const [least, most] = [Math.min(...all), Math.max(...all)];
    const place = (value) => (most > least ? 6 + (Math.min(Math.max((turned(value) - least) / (most - least), 0), 1)) * 108 : 60);
    const now = values.find((one) => one.setting === this.chosen);
    const then = versus && values.find((one) => one.setting === versus);
    return svg("svg", { class: "strip", width: 120, height: 20, viewBox: "0 0 120 20", role: "img", "aria-label": `between ${FORMS[row.form](Math.min(...values.map((one) => one.value)))} and ${FORMS[row.form](Math.max(...values.map((one) => one.value)))} in all settings` },
      svg("path", { class: "rail", d: "M6 10H114" }),
      values.map((one) => svg("path", { class: "notch", d: `M${place(one.value)} 6v8` })),
      now && isNumber(now.low) && isNumber(now.high) && svg("path", { class: "reach", d: `M${place(now.low)} 10H${place(now.high)}` }),
      then && svg("path", { class: "then", d: markPath("diamond", place(then.value), 10, 4) }),
      now && svg("path", { class: "now", d: markPath("circle", place(now.value), 10, 4.5) }));
  }

  drawResults() {
    const { sweep, chosen } = this;
    const versus = this.pinned || this.before;
    const rows = this.rows();
    const cell = (row, setting) => {
      const { value, low, high, note } = row.of(setting);
      return [shown(value, row.form), interval(low, high, row.form), note && el("span", { class: "interval" }, ` ${note}`)];
    };
    const body = [];
    let group = null;
    let hasUnpaired = false;
    for (const row of rows) {
      if (row.group !== group) {
        group = row.group;
        body.push(el("tr", { class: "group" }, el("th", { colspan: versus ? 5 : 3, scope: "colgroup" }, group)));
      }
      const difference = this.difference(row, versus);
      hasUnpaired = hasUnpaired || (difference && !difference.isPaired);
      body.push(el("tr", { "data-metric": row.key }, el("th", { scope: "row" }, row.label), el("td", { class: "now-cell" }, cell(row, chosen)),
        versus && el("td", { class: "then-cell" }, cell(row, versus)), versus && el("td", { class: "difference" }, this.drawDifference(row, versus)),
        el("td", { class: "strip-cell" }, this.strip(row, versus))));
    }
    const pin = el("p", { class: "pins" },
      el("button", { type: "button", id: "pin", disabled: this.pinned === chosen, onclick: () => { this.pinned = chosen; this.drawResults(); announce(`Pinned ${sweep.name(chosen)}`); } }, "Pin this setting to compare with"),
      this.pinned && el("button", { type: "button", id: "unpin", onclick: () => { this.pinned = null; this.drawResults(); } }, "Unpin"),
      versus && versus !== chosen && el("span", {}, this.pinned ? "Compared with the pinned setting, " : "Compared with the one before, ", this.jump(versus.setting), "."),
      !versus && el("span", {}, "Choose another setting, and the difference appears here."));
    this.results.replaceChildren(pin, scroller("What a read and a write meet", el("table", { class: "meets" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "What a read and a write meet"), el("th", { scope: "col" }, "● chosen"),
        versus && el("th", { scope: "col" }, this.pinned ? "◇ pinned" : "◇ before"), versus && el("th", { scope: "col" }, "difference"), el("th", { scope: "col", class: "strip-cell" }, "among all settings"))),
      el("tbody", {}, body))),
    el("p", { class: "small-print" }, `Medians over the seeds; in brackets: ${sweep.spread}. P(fresh) is of the reads of all seeds, with its 95 % interval after Wilson. Latency is of the whole run, timeouts included; the frontier compares it before the first fault, if there is one. `, hasUnpaired ? "* Not paired by seed: the difference of the two numbers." : ""));
  }
}
