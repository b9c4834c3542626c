// The page: what this PoP knows, live. One stream brings the status whenever it has changed; the rest is asked for.
import { attribute, each, find, make, write } from "./dom.js";
import { beginMarks, openMark, tellDrains } from "./drains.js";
import { beginExplain } from "./explain.js";
import { drawMap, fetchLand, tellRegions } from "./map.js";
import { beginPast, readHistory, readJournal, tellCertificates, tellFile } from "./past.js";
import { isNewError, show, tellPools } from "./pools.js";
import { one, regional, span, standing, witness } from "./words.js";

// Without a word for so long the page says that it may be out of date.
const SILENCE = 6000;
let last = null;
let heard = 0;

function tell(status) {
  heard = Date.now();
  tellHead(status);
  tellNow(status);
  drawMap(status);
  tellRegions(status, openMark);
  tellPools(status, openMark);
  tellDrains(status);
  tellFile(status);
  tellCertificates(status);
  announce(last, status);
  const isNews = last === null || outline(last) !== outline(status);
  last = status;
  if (isNews) readJournal(status).catch(() => {});
}

// What the journal writes of.
function outline(status) {
  return JSON.stringify([status.generation, status.last_reload, status.drains.map(({ target, state }) => [target, state]),
    status.backends.map(({ key, standing: stands, usable }) => [key, stands, usable])]);
}

function tellHead(status) {
  document.title = `${problems(status).some(({ tone }) => tone === "bad") ? "✕ " : ""}${status.pop.name} · nearside`;
  write(find("pop"), `at PoP ${status.pop.name}${status.pop.place ? ` (${status.pop.place})` : ""}`);
  const connections = status.listeners.reduce((sum, { connections: open }) => sum + open, 0);
  const facts = [["Generation", status.generation], ["Phase", status.phase], ["Ready", status.ready ? "yes" : "no"],
    ["Up for", span(status.uptime_s * 1000)], ["Clients", one(connections, "connection")], ["Version", status.version]];
  each(find("facts"), facts, ([name]) => name, ([name]) => {
    const value = make("dd");
    const both = make("div", {}, make("dt", {}, name), value);
    both.value_ = value;
    return both;
  }, (both, [, value]) => write(both.value_, value));
  find("logout").hidden = !status.token;
}

// All that somebody who has just been woken has to know, the worst first.
function problems(status) {
  const found = [];
  const add = (tone, key, text, more, open) => found.push({ tone, key, text, more, open });
  if (!status.ready) add("bad", "ready", `This PoP is not ready: it is ${status.phase}.`, "Balancers are told to send clients elsewhere (/readyz).");
  for (const region of status.regions) {
    if (region.backends > 0 && regional(region, status.backends).tone === "bad") {
      add("bad", `region ${region.name}`, `✕ Region ${region.name}: no backend of ${region.backends} is usable.`, "");
    }
  }
  for (const backend of status.backends) {
    const state = standing(backend);
    if (backend.drain || state.tone === "well") continue;
    const why = [`${witness(backend.by)} say so, for ${span(status.now - backend.since)}`, backend.evidence,
      isNewError(backend) ? backend.last_error : null];
    add(state.tone, `backend ${backend.key}`, `${state.text}: ${backend.key} in ${backend.region}`, why.filter(Boolean).join("; "), backend.key);
  }
  if (status.last_reload?.outcome === "refused") {
    add("bad", "reload", "✕ The last reload was refused; what ran before goes on.", "Generations has the report.");
  }
  for (const { file, expires } of status.certificates) {
    const days = Math.floor((expires * 1000 - status.now) / 86_400_000);
    if (days < 14) add(days < 3 ? "bad" : "doubt", `certificate ${file}`, `▲ The certificate ${file} expires in ${one(days, "day")}.`, "");
  }
  for (const drain of status.drains) {
    const who = `${drain.by ? `by ${drain.by}` : "nobody said who"}, for ${drain.since === null ? "an unknown time" : span(status.now - drain.since)}`;
    add("mark", `drain ${drain.target}`, `◧ ${drain.target} is ${drain.state}: ${drain.reason}`, `${who}; ${drain.in_flight} in flight`);
  }
  const order = { bad: 0, doubt: 1, mark: 2, faint: 3 };
  return found.sort((a, b) => order[a.tone] - order[b.tone]);
}

function tellNow(status) {
  const found = problems(status);
  const grave = found.filter(({ tone }) => tone !== "mark");
  const wanted = status.backends.filter(({ drain }) => !drain);
  const usable = wanted.filter((backend) => backend.usable).length;
  const all = wanted.length;
  const text = grave.length === 0 ? `● All is well: ${usable} of ${all} backends usable.`
    : `${grave[0].tone === "bad" ? "✕" : "▲"} ${one(grave.length, "problem")}: ${usable} of ${all} backends usable.`;
  write(find("verdict"), text);
  attribute(find("verdict"), "class", `verdict ${grave.length === 0 ? "well" : grave[0].tone}`);
  each(find("problems"), found, ({ key }) => key, ({ key, open }) => {
    const said = make("span", {});
    const more = make("small", {});
    const node = make("li", { "data-problem": key }, said, more);
    if (open) node.append(make("button", { type: "button", onclick: () => show(open) }, `Show ${open}`));
    Object.assign(node, { said_: said, more_: more });
    return node;
  }, (node, { tone, text: said, more }) => {
    attribute(node, "class", tone);
    write(node.said_, said);
    write(node.more_, more);
  });
}

// Says what has changed to who cannot see it: changes alone, never figures.
function announce(before, status) {
  if (before === null) return;
  const news = [];
  if (before.generation !== status.generation) news.push(`generation ${status.generation} serves`);
  const known = new Map(before.backends.map((backend) => [backend.key, standing(backend).word + (backend.drain ? " and drained" : "")]));
  for (const backend of status.backends) {
    const word = standing(backend).word + (backend.drain ? " and drained" : "");
    if (known.has(backend.key) && known.get(backend.key) !== word) news.push(`${backend.key} is ${word}`);
  }
  const states = new Map(before.regions.map(({ name, state }) => [name, state]));
  for (const { name, state } of status.regions) if (states.has(name) && states.get(name) !== state) news.push(`${name} is ${state}`);
  if (news.length > 0) write(find("news"), news.join("; "));
}

function listen() {
  const events = new EventSource("/events");
  events.addEventListener("message", ({ data }) => tell(JSON.parse(data)));
  events.addEventListener("error", async () => {
    // A browser gives up for good after an answer that is no stream. Who is not known any more has to log in.
    const answer = await fetch("/readyz").then(() => fetch("/status")).catch(() => null);
    if (answer?.status === 401) location.reload();
    else if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

function watch() {
  const quiet = Date.now() - heard;
  const isLost = quiet > SILENCE;
  write(find("contact"), heard === 0 ? "connecting…" : isLost ? `✕ no word for ${span(quiet)}: what stands here may be out of date` : "● live");
  attribute(find("contact"), "class", isLost && heard > 0 ? "contact lost" : "contact");
}

beginMarks();
beginExplain();
beginPast();
setInterval(watch, 1000);
setInterval(() => readHistory().catch(() => {}), 10_000);
await fetchLand().catch(() => {});
listen();
readHistory().catch(() => {});
