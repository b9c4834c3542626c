// Pools and their backends: how each stands, who says so, since when, on what evidence. A backend opens to all of it.
import { attribute, each, find, make, row, table, write } from "./dom.js";
import { millis, number, percent, span, standing, witness } from "./words.js";

const COLUMNS = [{ title: "Backend" }, { title: "Region" }, { title: "Stands", nowrap: true }, { title: "Says who" }, { title: "Since", nowrap: true },
  { title: "On what evidence" }, { title: "Round trip", number: true }, { title: "Share", number: true }, { title: "In flight", number: true }];
const open = new Set();
let again = () => {};

export function tellPools(status, act) {
  again = () => tellPools(status, act);
  each(find("pools"), status.pools, ({ name }) => name, ({ name }) => {
    const title = make("h3", {});
    const made = table(`Backends of pool ${name}`, COLUMNS);
    const node = make("div", {}, title, made.node);
    Object.assign(node, { title_: title, body_: made.body });
    return node;
  }, (node, pool) => {
    const own = status.backends.filter((backend) => backend.pool === pool.name);
    const usable = own.filter((backend) => backend.usable).length;
    write(node.title_, `Pool ${pool.name}: ${usable} of ${own.length} backends usable, ${number(pool.in_flight)} in flight`);
    const lines = own.flatMap((backend) => [{ backend, whole: false }, ...(open.has(backend.key) ? [{ backend, whole: true }] : [])]);
    each(node.body_, lines, ({ backend, whole }) => `${whole ? "more" : "line"} ${backend.key}`,
      ({ backend, whole }) => (whole ? more(backend) : line(backend)),
      (it, { backend, whole }) => (whole ? tellMore(it, backend, status, act) : tellLine(it, backend, status)));
  });
}

const idOf = (key) => `backend-${key.replace(/[^A-Za-z0-9_-]/g, (sign) => `_${sign.codePointAt(0)}`)}`;

function line(backend) {
  const node = row(COLUMNS);
  const button = make("button", { type: "button", class: "open", onclick: () => {
    if (!open.delete(backend.key)) open.add(backend.key);
    again();
  } });
  node.cells_[0].append(button);
  node.button_ = button;
  node.id = idOf(backend.key);
  return node;
}

function tellLine(node, backend, status) {
  const state = standing(backend);
  write(node.button_, backend.name);
  const isOpen = open.has(backend.key);
  attribute(node.button_, "aria-expanded", isOpen);
  attribute(node.button_, "aria-controls", isOpen ? `${idOf(backend.key)}-more` : null);
  const by = backend.drain ? "the operator" : witness(backend.by);
  const rtt = backend.rtt_by === "distance" ? `~${millis(backend.rtt_ms)}` : millis(backend.rtt_ms);
  [null, backend.region, state.text, by, span(status.now - backend.since), evidence(backend, status), rtt, percent(backend.share),
    number(backend.in_flight)].forEach((text, index) => { if (index > 0) write(node.cells_[index], text); });
  attribute(node.cells_[2], "class", `nowrap ${state.tone}`);
}

// Whether the last error says something that the evidence does not.
export const isNewError = ({ standing: stands, last_error: error, evidence: said }) =>
  stands !== "healthy" && Boolean(error) && !said.includes(error);

// What is said of it, with the last error where it is not well.
function evidence(backend, status) {
  const parts = [backend.drain ? `drained: ${backend.drain}` : backend.evidence];
  if (isNewError(backend)) parts.push(backend.last_error);
  if (backend.held_until > status.now) parts.push(`held for ${span(backend.held_until - status.now)} more`);
  else if (backend.ramp !== null) parts.push(`takes ${Math.round(backend.ramp / 10)} % of its weight`);
  return parts.join("; ");
}

function more(backend) {
  const facts = make("dl", {});
  const button = make("button", { type: "button" });
  const inside = make("div", { class: "details" }, facts, make("p", {}, button));
  const node = make("tr", { role: "row", id: `${idOf(backend.key)}-more` }, make("td", { role: "cell", colspan: COLUMNS.length }, inside));
  Object.assign(node, { facts_: facts, button_: button });
  button.addEventListener("click", () => node.act_());
  return node;
}

function tellMore(node, backend, status, act) {
  const ago = (at) => (at === null ? null : `${span(status.now - at)} ago`);
  const still = (until) => (until > status.now ? `${span(until - status.now)} more` : null);
  const facts = [
    ["Key", backend.key],
    ["Addresses", backend.addresses.join(", ")],
    ["Name not resolved", backend.name_error],
    ["Verdict of its probes", backend.verdict],
    ["Evidence", backend.evidence],
    ["Last error", backend.last_error && `${backend.last_error} (${ago(backend.last_error_at)})`],
    ["Ejected for", still(backend.ejected_until)],
    ["Held after its recovery for", still(backend.held_until)],
    ["Ramp", backend.ramp === null ? null : `${backend.ramp / 10} % of its weight`],
    ["Mark", backend.drain],
    ["Priority and weight", `${backend.priority}, ${backend.weight}`],
    ["Round trip", backend.rtt_ms === null ? "not known" : `${millis(backend.rtt_ms)}, by ${backend.rtt_by}, last sample ${ago(status.now - (backend.rtt_age_ms ?? 0))}, spread ${millis(backend.rtt_spread_ms)}`],
    ["Connections", `${backend.connections} open, ${backend.idle_connections} of them ready and unused`],
    ["Probes", `${number(backend.probes_passed)} passed, ${number(backend.probes_failed)} failed`],
    ["Faults of requests", number(backend.faults)],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  each(node.facts_, facts, ([name]) => name, ([name]) => {
    const value = make("dd");
    const both = make("div", {}, make("dt", {}, name), value);
    both.value_ = value;
    return both;
  }, (both, [, value]) => write(both.value_, value));
  // A mark on its region is taken off there.
  const does = status.drains.some(({ target }) => target === backend.key) ? "undrain" : "drain";
  node.act_ = () => act(backend.key, does === "drain");
  write(node.button_, does === "drain" ? `Drain ${backend.name}…` : `Undrain ${backend.name}…`);
}

// Opens the backend, and goes there.
export function show(key) {
  open.add(key);
  again();
  const node = find(idOf(key));
  node?.scrollIntoView({ block: "center" });
  node?.button_.focus();
}
