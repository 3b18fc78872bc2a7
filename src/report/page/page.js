// The page: sections from top to bottom.

const { summary, manifest } = DATA;
const isSweep = DATA.kind === "sweep";
const WORDS = { held: ["✓", "held", "everything expected came out"], broken: ["✗", "broken", "something expected did not come out"], inconclusive: ["?", "inconclusive", "something could not be judged"] };

function mark(held) {
  const [sign, word] = held === true ? ["✓", "held"] : held === false ? ["✗", "broken"] : ["?", "undecided"];
  return el("span", { class: `mark-${word}`, role: "img", "aria-label": word, title: word }, sign);
}

/** 1, 2, 3, 7 as `1 to 3, 7`. */
function ranges(numbers) {
  const parts = [];
  for (const number of numbers) {
    const last = parts[parts.length - 1];
    if (last && number === last[1] + 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([from, to]) => (from === to ? String(from) : `${from} to ${to}`)).join(", ");
}

function header(sweep) {
  const [sign, word, meaning] = WORDS[summary.status] || ["?", String(summary.status), ""];
  const facts = [];
  const fact = (name, value) => value !== undefined && value !== null && value !== "" && facts.push(el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  if (isSweep) {
    fact("settings", plain(sweep.settings.length));
    if (sweep.axes.length) fact("axes", sweep.axes.map(({ name, values }) => `${name}: ${values.join(", ")}`).join("; "));
    fact("seeds", ranges(summary.seeds));
    fact("runs", plain(DATA.runs));
  } else {
    fact("seed", plain(summary.seed));
    for (const [axis, value] of Object.entries(summary.setting || {})) fact(axis, String(value));
    fact("simulated time", `${plain(summary.virtual_ms / 1000)} s`);
    fact("events", isNumber(summary.metrics["run.events"]) ? plain(summary.metrics["run.events"]) : null);
    fact("digest", el("code", {}, summary.digest));
  }
  fact("program", manifest.program);
  fill(document.getElementById("head"), {}, [
    el("p", { class: "kind" }, isSweep ? "Sweep" : "Run", el("span", { class: `status ${word}`, title: meaning }, `${sign} ${word}`)),
    el("h1", {}, DATA.name),
    DATA.about && el("p", { class: "lead" }, DATA.about),
    el("dl", { class: "facts" }, facts),
  ]);
}

/** What to take away: of a sweep its sentences, of a run its key numbers. */
function takeAway(sweep, chooser) {
  if (isSweep) {
    const best = sweep.frontier && sweep.frontier.best.map((number) => el("li", {}, el("button", { type: "button", class: "link", onclick: () => { chooser.choose(number); document.getElementById("chooser").scrollIntoView(); } }, sweep.name(sweep.get(number) || { values: {} }))));
    // What is beaten by what is a long list, and each setting says it for itself.
    const beaten = sweep.frontier ? sweep.frontier.dominated.map((one) => one.text) : [];
    const statements = summary.statements.filter((text) => !beaten.includes(text));
    if (!summary.statements.length && !best) return null;
    return section("summary", "What to take away",
      statements.length > 0 && el("ul", { class: "statements" }, statements.map((text) => el("li", {}, text))),
      best && best.length > 0 && el("div", { class: "frontier-list" }, el("p", {}, "Compared by ", sweep.frontier.of.map((name, at) => [at > 0 ? ", " : "", el("code", {}, dotted(name))]), "; look at one that nothing beats:"), el("ul", { class: "chips" }, best)),
      beaten.length > 0 && el("details", { id: "beaten" }, el("summary", {}, `${beaten.length} ${beaten.length === 1 ? "setting is" : "settings are"} dominated`), el("ul", { class: "statements" }, beaten.map((text) => el("li", {}, text)))));
  }
  const metrics = summary.metrics;
  const tiles = [];
  const tile = (label, metric, note) => {
    if (!isNumber(metrics[metric])) return;
    tiles.push(el("div", { class: "tile", "data-metric": metric }, el("dt", {}, label), el("dd", {}, shown(metrics[metric], formOf(metric)), note && el("span", { class: "note" }, note))));
  };
  for (const operation of OPERATIONS.filter((name) => metrics[`${name}.count`] > 0 && !(name === "put" && metrics["put.count"] === metrics["update.count"]))) {
    tile(`${operation} succeeds`, `${operation}.success`, `of ${plain(metrics[`${operation}.count`])}`);
    tile(`${operation} P50`, `${operation}.latency.p50_ms`);
    tile(`${operation} P99.9`, `${operation}.latency.p999_ms`);
  }
  tile("stale reads", "stale.fraction", isNumber(metrics["stale.reads"]) ? `${plain(metrics["stale.reads"])} reads` : null);
  tile("hints delivered", "hints.delivered");
  tile("writes of read repair", "read_repair.writes");
  tile("versions a read", "siblings.mean");
  tile("replicas agree after", "convergence.time_ms");
  return section("summary", "Key numbers", el("dl", { class: "tiles" }, tiles));
}

function simpleTable(label, head, rows) {
  return scroller(label, el("table", {}, el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, rows)));
}

function expectations(sweep) {
  const groups = new Map();
  for (const one of summary.expect) groups.set(one.text, [...(groups.get(one.text) || []), one]);
  if (!groups.size) return el("p", {}, "The scenario expects nothing.");
  const setting = (one) => {
    const found = sweep && isNumber(one.setting) && sweep.get(one.setting);
    return found ? sweep.name(found) : "";
  };
  const why = (one) => [one.because && el("div", {}, one.because), one.claim && el("div", { class: "claim" }, typeof one.claim === "string" ? one.claim : JSON.stringify(one.claim))];
  const hasWhy = summary.expect.some((one) => one.because || one.claim);
  const rows = [];
  for (const [text, all] of groups) {
    if (all.length === 1) {
      const [one] = all;
      rows.push(el("tr", {}, el("td", {}, mark(one.held)), el("th", { scope: "row" }, text), el("td", {}, isNumber(one.value) ? shown(one.value, "plain") : ""), sweep && el("td", {}, setting(one)), hasWhy && el("td", {}, why(one))));
      continue;
    }
    const count = (held) => all.filter((one) => (one.held ?? null) === held).length;
    const worst = count(false) ? false : count(null) ? null : true;
    const said = [[count(true), "held"], [count(false), "broken"], [count(null), "undecided"]].filter(([number]) => number).map(([number, word]) => `${number} ${word}`).join(", ");
    const inner = el("table", { class: "inner" }, el("tbody", {}, all.map((one) => el("tr", {}, el("td", {}, mark(one.held)), el("td", {}, setting(one)), el("td", {}, isNumber(one.value) ? shown(one.value, "plain") : ""), el("td", {}, one.because || "")))));
    const { claim } = all[0];
    rows.push(el("tr", {}, el("td", {}, mark(worst)), el("th", { scope: "row" }, text), el("td", { colspan: 3 }, el("details", { open: worst !== true }, el("summary", {}, `${all.length} settings: ${said}`), inner), claim && el("div", { class: "claim" }, claim))));
  }
  return simpleTable("Expectations", ["", "expected", "value", ...(sweep ? ["setting"] : []), ...(hasWhy ? ["because"] : [])], rows);
}

function verdicts(sweep) {
  const parts = [expectations(sweep)];
  const properties = summary.properties || [];
  if (properties.length) {
    parts.push(el("h3", {}, "Properties"), simpleTable("Properties", ["", "property", "violations", "asserted", ""], properties.map((one) =>
      el("tr", {}, el("td", {}, mark(one.violations === null ? null : one.violations === 0)), el("th", { scope: "row" }, one.name), el("td", { class: "number" }, shown(one.violations, "plain")), el("td", {}, one.asserted ? "yes" : "no"), el("td", {}, one.because || "")))));
  }
  const faults = summary.faults || [];
  if (faults.length) {
    const seconds = (ms) => (isNumber(ms) ? `${plain(ms / 1000)} s` : NOTHING);
    parts.push(el("h3", {}, "Faults"), simpleTable("Faults", ["step", "kind", "from", "to", "hits"], faults.map((one) =>
      el("tr", {}, el("th", { scope: "row" }, one.step), el("td", {}, one.kind), el("td", { class: "number" }, seconds(one.from_ms)), el("td", { class: "number" }, isNumber(one.to_ms) ? seconds(one.to_ms) : "the end"),
        el("td", { class: "number" }, shown(one.hits, "plain"), one.hits === 0 ? " – it changed nothing" : "")))));
  }
  const steps = summary.steps || [];
  if (steps.length) {
    const text = (value) => (value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
    const columns = ["step", "outcome", "values", "latency_ms", "coordinator", "stale", "broken"].filter((name) => steps.some((step) => step[name] !== undefined));
    parts.push(el("h3", {}, "Operations of the script"), simpleTable("Operations of the script", ["", ...columns], steps.map((step) =>
      el("tr", {}, el("td", {}, step.held === undefined ? "" : mark(step.held)), columns.map((name) => el("td", {}, text(step[name])))))));
  }
  // Skipped combinations have a list of their own.
  const notices = (summary.notices || []).filter((text) => !(isSweep && summary.skipped.length && text.startsWith("skipped ")));
  if (notices.length) {
    parts.push(el("h3", {}, "Notices"), el("ul", { class: "notices" }, notices.map((text) => el("li", {}, text))));
  }
  if (isSweep && summary.skipped.length) {
    parts.push(el("details", { class: "skipped" }, el("summary", {}, `${summary.skipped.length} ${summary.skipped.length === 1 ? "combination" : "combinations"} skipped`),
      el("ul", {}, summary.skipped.map(({ values, because }) => el("li", {}, `${Object.entries(values).map(([name, value]) => `${name}=${value}`).join(" ")}: ${because}`)))));
  }
  return section("verdicts", "Verdicts", parts);
}

function figures() {
  if (!DATA.figures.length) return null;
  const charts = DATA.figures.map((figure) => new Chart(figure));
  return { charts, element: section("figures", "Figures", el("p", { class: "hint" }, "Point at a mark for its values, drag to zoom, double-click for all. Click a name to switch it off. With the keyboard: arrows, + and −, 0."), charts.map((chart) => chart.element)) };
}

/** A table that is sorted by a click on a heading. Columns: label, number or text of a row, cell of a row. */
function sortable(label, columns, items, options) {
  let by = -1;
  let isDown = false;
  const body = el("tbody", {});
  const head = el("tr", {});
  const draw = () => {
    const sorted = [...items];
    if (by >= 0) {
      const value = columns[by].value;
      sorted.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        // What has no value comes last either way.
        if (x === null || y === null) return (x === null) - (y === null);
        const order = x < y ? -1 : x > y ? 1 : 0;
        return isDown ? -order : order;
      });
    }
    head.replaceChildren(...columns.map((column, at) => el("th", { scope: "col", "aria-sort": at === by ? (isDown ? "descending" : "ascending") : null },
      el("button", { type: "button", class: "sort", onclick: () => { isDown = at === by && !isDown; by = at; draw(); head.children[at].firstChild.focus(); } }, column.label, el("span", { "aria-hidden": "true" }, at === by ? (isDown ? " ▼" : " ▲") : "")))));
    body.replaceChildren(...sorted.map((item) => fill(el("tr", {}), options.row ? options.row(item) : {}, columns.map((column) => column.cell(item)))));
  };
  draw();
  return { element: scroller(label, el("table", { class: "numbers" }, el("thead", {}, head), body)), draw, columns };
}

function settingsTable(sweep, chooser) {
  const metricColumn = (metric) => ({
    label: dotted(metric),
    value: (setting) => sweep.metric(setting, metric).value,
    cell: (setting) => {
      const { value, low, high } = sweep.metric(setting, metric);
      return el("td", { class: "number", "data-metric": metric }, shown(value, formOf(metric)), interval(low, high, formOf(metric)));
    },
  });
  const headline = ["stale.fraction", ...OPERATIONS.filter((name) => name !== "put" || !sweep.metrics.includes("update.count")).flatMap((name) => [`${name}.success`, `${name}.latency.p50_ms`, `${name}.latency.p99_ms`, `${name}.latency.p999_ms`])];
  const first = [...new Set([...(sweep.frontier ? sweep.frontier.of : []), ...headline])].filter((metric) => sweep.metrics.includes(metric) && sweep.settings.some((setting) => sweep.metric(setting, metric).value !== null));
  const best = new Set(sweep.frontier ? sweep.frontier.best : []);
  const columns = [
    { label: "setting", value: (one) => one.setting, cell: (one) => el("td", { class: "number" }, el("button", { type: "button", class: "link", title: "Choose it above", onclick: () => chooser.choose(one.setting) }, String(one.setting)), best.has(one.setting) ? el("span", { class: "star", title: "on the frontier", role: "img", "aria-label": "on the frontier" }, " ★") : "") },
    ...sweep.axes.map(({ name, values }) => ({ label: name, value: (one) => { const at = values.map(String).indexOf(String(one.values[name])); return at < 0 ? null : at; }, cell: (one) => el("td", {}, String(one.values[name])) })),
    ...first.map(metricColumn),
  ];
  const table = sortable("Settings", columns, sweep.settings, { row: (one) => ({ "data-setting": one.setting, class: one === chooser.chosen ? "is-chosen" : null }) });
  const rest = sweep.metrics.filter((metric) => !first.includes(metric));
  const add = el("select", { id: "add-metric", onchange: (event) => { if (event.target.value) { columns.push(metricColumn(event.target.value)); event.target.selectedOptions[0].remove(); event.target.value = ""; table.draw(); } } }, el("option", { value: "" }, "choose…"), rest.map((metric) => el("option", { value: metric }, metric)));
  chooser.onchoose = () => table.draw();
  return section("settings", "Settings", el("p", { class: "hint" }, `Medians over the seeds; below: ${sweep.spread}. Click a heading to sort`, best.size ? "; ★ is on the frontier" : "", ". ", el("label", {}, "One more column: ", add)), table.element);
}

/** Metrics down, places across: for windows, clients and nodes of a run. */
function matrix(title, places, id) {
  const names = Object.keys(places);
  if (!names.length) return null;
  const metrics = [...new Set(names.flatMap((name) => Object.keys(places[name])))].filter((metric) => names.some((name) => places[name][metric] !== null));
  const columns = [
    { label: "metric", value: (metric) => metric, cell: (metric) => el("th", { scope: "row" }, dotted(metric)) },
    ...names.map((name) => ({ label: name, value: (metric) => (isNumber(places[name][metric]) ? places[name][metric] : null), cell: (metric) => el("td", { class: "number" }, places[name][metric] === undefined ? "" : shown(places[name][metric], formOf(metric))) })),
  ];
  let wanted = "";
  const table = sortable(title, columns, metrics, { row: (metric) => ({ "data-metric": metric, hidden: !metric.includes(wanted) }) });
  const filter = el("input", { type: "search", id: `${id}-filter`, size: 24, placeholder: "latency, hints, …", oninput: (event) => { wanted = event.target.value.trim(); table.draw(); } });
  return el("details", { open: id === "windows" }, el("summary", {}, title), el("p", { class: "hint" }, el("label", {}, "Metrics with: ", filter)), table.element);
}

function runNumbers() {
  return section("numbers", "Numbers",
    matrix("By window", { all: summary.metrics, ...summary.windows }, "windows"),
    matrix("By client", summary.clients, "clients"),
    matrix("By node", summary.nodes, "nodes"));
}

function copyable(id, title, text) {
  const code = el("pre", { tabindex: 0, "aria-label": title }, text);
  const button = el("button", {
    type: "button", class: "small", onclick: async () => {
      try {
        await navigator.clipboard.writeText(text);
        announce("Copied");
        button.textContent = "Copied";
      } catch {
        // Without a clipboard the text is selected, ready to be copied by hand.
        getSelection().selectAllChildren(code);
        button.textContent = "Selected: copy it now";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    },
  }, "Copy");
  return el("details", { id }, el("summary", {}, title), el("div", { class: "copy" }, button), code);
}

function sources() {
  return section("sources", "Where it came from",
    el("p", {}, "The same scenario, seed and program give the same bytes. Hashes are XXH3-128; a digest names all events of a run."),
    copyable("scenario", "Scenario as it was given", DATA.scenario),
    copyable("manifest", "Manifest: program, seeds, digests and hashes of the files", `${JSON.stringify(manifest, null, 2)}\n`));
}

function start() {
  const sweep = isSweep ? new Sweep() : null;
  const chooser = isSweep && sweep.settings.length ? new Chooser(sweep) : null;
  header(sweep);
  const drawn = figures();
  const sections = [
    takeAway(sweep, chooser),
    chooser && sweep.settings.length > 1 && section("chooser", dimensions(sweep).some((one) => one.isQuorum) ? "Choose N, R and W" : "Choose a setting", chooser.element),
    verdicts(sweep),
    drawn && drawn.element,
    isSweep ? chooser && settingsTable(sweep, chooser) : runNumbers(),
    sources(),
  ].filter(Boolean);
  document.getElementById("main").replaceChildren(...sections);
  document.getElementById("nav").append(...sections.map((one) => el("a", { href: `#${one.id}` }, one.firstChild.textContent)));
  document.getElementById("foot").textContent = `Made by ${manifest.program} from its files of results.`;
  if (drawn) drawn.charts.forEach((chart) => chart.draw());
  addEventListener("beforeprint", () => document.querySelectorAll("details#scenario").forEach((one) => { one.open = true; }));
}

start();
