// The past: the last hours as charts, what happened, and the generations with what changed between them.
/* global uPlot */
import { attribute, difference, each, find, make, row, table, write } from "./dom.js";
import { clock, number, one, percent, witness } from "./words.js";

// Lines are told apart by colour and by their dashes.
const LINES = [["--one", []], ["--two", [8, 4]], ["--three", [2, 3]], ["--four", [12, 4, 2, 4]], ["--five", [5, 5]], ["--six", [1, 6]]];
const CHARTS = [
  { id: "traffic", title: "Requests a second", of: (flow, seconds) => flow.requests / seconds, say: (value) => `${number(value)}/s` },
  { id: "failures", title: "Failed requests a second", of: (flow, seconds) => flow.failed / seconds, say: (value) => `${number(value)}/s` },
  { id: "flight", title: "Requests in flight", of: (flow) => flow.in_flight, say: number },
  { id: "health", title: "Usable backends", of: (flow) => (flow.backends > 0 ? flow.usable / flow.backends : null), say: percent, share: true },
];
let samples = [];
let minutes = null;
const drawn = new Map();

export async function readHistory() {
  const answer = await fetch("/history");
  if (!answer.ok) return;
  ({ samples } = await answer.json());
  // Of a short past, all is seen.
  if (minutes === null) reach(samples.length > 90 ? 60 : 15);
  else drawCharts();
}

export function beginPast() {
  for (const button of document.querySelectorAll("[data-minutes]")) {
    button.addEventListener("click", () => reach(Number(button.dataset.minutes)));
  }
  const anew = () => {
    for (const { chart } of drawn.values()) chart.destroy();
    drawn.clear();
    drawCharts();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
  new ResizeObserver(() => {
    for (const { chart, place } of drawn.values()) {
      const width = place.clientWidth;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: chart.height });
    }
  }).observe(find("charts"));
  find("journal-more").addEventListener("click", () => {
    most += 50;
    tellJournal();
  });
}

function reach(far) {
  minutes = far;
  for (const button of document.querySelectorAll("[data-minutes]")) attribute(button, "aria-pressed", Number(button.dataset.minutes) === far);
  drawCharts();
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function drawCharts() {
  const since = Date.now() / 1000 - minutes * 60;
  const shown = samples.filter(({ time }) => Date.parse(time) / 1000 >= since);
  const names = [...new Set(shown.flatMap(({ regions }) => Object.keys(regions)))].filter((name) => name !== "-").sort();
  const times = shown.map(({ time }) => Date.parse(time) / 1000);
  each(find("charts"), CHARTS, ({ id }) => id, ({ id, title }) => {
    const place = make("div", { "aria-hidden": "true" });
    const said = make("figcaption", {});
    const node = make("figure", { id: `chart-${id}` }, make("h3", {}, title), place, said);
    Object.assign(node, { place_: place, said_: said });
    return node;
  }, (node, kind) => {
    const values = names.map((name) => shown.map(({ regions, window_s }) => (regions[name] ? kind.of(regions[name], window_s) : null)));
    tellChart(node.said_, names, values, kind);
    plot(node.place_, kind, names, [times, ...values], since);
  });
}

// What the drawing says, in words: now and at most.
function tellChart(node, names, values, kind) {
  const said = names.map((name, index) => {
    const known = values[index].filter((value) => value !== null);
    const [now, most, least] = [known.at(-1), Math.max(...known), Math.min(...known)];
    if (known.length === 0) return { name, index, text: `${name}: nothing known` };
    return { name, index, text: `${name} ${kind.say(now)} now, ${kind.share ? `at least ${kind.say(least)}` : `at most ${kind.say(most)}`}` };
  });
  const none = { name: "", index: 0, text: "Nothing yet: the first figures come after ten seconds." };
  each(node, said.length === 0 ? [none] : said, ({ name }) => name, ({ index, name }) => {
    const [line, dash] = LINES[index % LINES.length];
    const canvas = make("canvas", { class: "swatch", width: 28, height: 10, "aria-hidden": "true", hidden: name === "" });
    const pen = canvas.getContext("2d");
    Object.assign(pen, { strokeStyle: colour(line), lineWidth: 2 });
    pen.setLineDash(dash);
    pen.moveTo(0, 5);
    pen.lineTo(28, 5);
    pen.stroke();
    const text = make("span", {});
    const both = make("div", {}, canvas, text);
    both.text_ = text;
    return both;
  }, (both, { text }) => write(both.text_, text));
}

function plot(place, kind, names, data, since) {
  const shape = names.join("\n");
  let known = drawn.get(kind.id);
  if (known !== undefined && known.shape !== shape) {
    known.chart.destroy();
    known = undefined;
  }
  if (known === undefined) {
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--edge"), width: 1 }, ticks: { stroke: colour("--edge"), width: 1 } };
    const series = names.map((name, index) => {
      const [line, dash] = LINES[index % LINES.length];
      return { label: name, stroke: colour(line), width: 2, dash, points: { show: false } };
    });
    const most = (_, min, max) => [0, kind.share ? 1.05 : Math.max(1, max * 1.1)];
    const chart = new uPlot({
      width: Math.max(280, place.clientWidth), height: 170, legend: { show: false }, cursor: { show: false },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      scales: { y: { range: most }, x: { range: () => [Date.now() / 1000 - minutes * 60, Date.now() / 1000] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => new Date(tick * 1000).toISOString().slice(11, 16)) }, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => (kind.share ? percent(tick) : number(tick))) }],
      series: [{}, ...series],
    }, data, place);
    known = { chart, shape, place };
    drawn.set(kind.id, known);
    return;
  }
  known.chart.setData(data);
}

let entries = [];
let most = 20;

// Reads what has happened since the last time.
export async function readJournal(status) {
  const since = entries.at(-1)?.time;
  const answer = await fetch(since ? `/journal?since=${encodeURIComponent(since)}` : "/journal");
  if (!answer.ok) return;
  const read = (await answer.json()).entries;
  const fresh = read.filter((entry) => !since || entry.time > since || !entries.some((known) => JSON.stringify(known) === JSON.stringify(entry)));
  entries = [...entries, ...fresh].slice(-1000);
  tellJournal();
  tellGenerations(status);
}

const STORY = [{ title: "When (UTC)", nowrap: true }, { title: "What" }, { title: "Of what" }, { title: "Says who" }, { title: "Why" }];
let story = null;
const keyOf = (entry) => JSON.stringify(entry);

function tellJournal() {
  if (story === null) {
    story = table("What changed, the latest first", STORY);
    find("journal-table").append(story.node);
  }
  const latest = entries.slice(-most).reverse();
  each(story.body, latest, keyOf, (entry) => {
    const line = row(STORY);
    const change = entry.from && entry.to && entry.kind !== "generation" ? `, ${entry.from} → ${entry.to}` : "";
    [clock(entry.time), `${entry.kind} ${String(entry.event).replaceAll("_", " ")}${change}`, entry.subject, entry.by ? witness(entry.by) : "–", entry.reason ?? ""].forEach(
      (text, index) => write(line.cells_[index], text));
    return line;
  });
  find("journal-more").hidden = entries.length <= most;
}

const GENERATIONS = [{ title: "When (UTC)", nowrap: true }, { title: "Generation" }, { title: "What changed" }, { title: "Lines" }];
let generations = null;

function tellGenerations(status) {
  if (generations === null) {
    generations = table("Generations and refused files of the last day, the latest first", GENERATIONS);
    find("generation-table").append(generations.node);
  }
  const own = entries.filter(({ kind }) => kind === "generation").slice(-20).reverse();
  generations.node.hidden = own.length === 0;
  each(generations.body, own, keyOf, (entry) => {
    const line = row(GENERATIONS);
    const stamp = entry.event === "swapped" ? `${entry.from} → ${entry.to}` : `✕ ${entry.event}, ${entry.from} stays`;
    [clock(entry.time), stamp, entry.reason ?? ""].forEach((text, index) => write(line.cells_[index], text));
    const { text_before: from, text: to } = entry.evidence ?? {};
    if (from && to && from !== to) line.cells_[3].append(lines(from, to, entry));
    return line;
  });
  write(find("generation"), `Generation ${status.generation} serves, from ${status.file}.`);
}

// A button that shows what the texts of two generations differ in.
function lines(from, to, entry) {
  const place = make("div", {});
  const button = make("button", { type: "button", class: "open", "aria-expanded": "false", "aria-label": `Show lines that changed to ${entry.to}` }, "Show lines");
  button.addEventListener("click", async () => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    attribute(button, "aria-expanded", !isOpen);
    if (isOpen) {
      place.replaceChildren();
      return;
    }
    const answer = await fetch(`/changes?${new URLSearchParams({ from, to })}`);
    const text = await answer.text();
    place.replaceChildren(answer.ok ? difference(text) : make("p", { class: "doubt" }, text.trim()));
  });
  return make("div", {}, button, place);
}

// How the last reload ended, where it was refused, and what `check` warns of.
export function tellFile(status) {
  const reload = status.last_reload;
  const place = find("reload");
  const isRefused = reload?.outcome === "refused";
  const text = isRefused ? `The last reload was refused at ${reload.at}; generation ${status.generation} goes on:` : "";
  each(place, isRefused ? [reload] : [], ({ at }) => at, () => make("div", {}, make("p", { class: "bad" }, `✕ ${text}`),
    make("pre", { tabindex: "0" }, reload.message ?? "")));
  const warnings = [...status.warnings.map((it) => ({ text: it.message, more: [it.path, it.line && `line ${it.line}`, it.hint].filter(Boolean).join(", ") })),
    ...status.machine.map((advice) => ({ text: advice, more: "this machine" }))];
  each(find("warnings"), warnings.length === 0 ? [{ text: "None.", more: "" }] : warnings, ({ text: said, more }) => `${said}${more}`,
    ({ text: said, more }) => make("li", { class: more === "" ? "none" : "doubt" }, said, more === "" ? null : make("small", {}, more)));
}

const CERTIFICATES = [{ title: "File" }, { title: "Names" }, { title: "Expires (UTC)", nowrap: true }, { title: "In", nowrap: true }];
let certificates = null;

export function tellCertificates(status) {
  if (certificates === null) {
    certificates = table("What clients are shown, the next to expire first", CERTIFICATES);
    find("certificate-table").append(certificates.node);
  }
  const own = [...status.certificates].sort((one_, other) => one_.expires - other.expires);
  certificates.node.hidden = own.length === 0;
  write(find("authority"), status.authority ? `A local authority (${status.authority}) signs for every host without a certificate: for development.`
    : own.length === 0 ? "There are none." : "");
  each(certificates.body, own, ({ file }) => file, () => row(CERTIFICATES), (line, { file, hosts, expires }) => {
    const days = Math.floor((expires * 1000 - status.now) / 86_400_000);
    const [sign, tone] = days < 0 ? ["✕ expired", "bad"] : days < 14 ? [`▲ ${one(days, "day")}`, "doubt"] : [`● ${one(days, "day")}`, "well"];
    [file, hosts.join(", "), new Date(expires * 1000).toISOString().slice(0, 16).replace("T", " "), sign].forEach((text, index) => write(line.cells_[index], text));
    attribute(line.cells_[3], "class", `nowrap ${tone}`);
  });
}
