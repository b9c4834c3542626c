// Drains: what is marked, and the form that shows what a mark would mean before it is made.
import { attribute, difference, each, filled, find, make, row, table, write } from "./dom.js";
import { number, percent, span } from "./words.js";

const COLUMNS = [{ title: "What" }, { title: "State" }, { title: "Why" }, { title: "Who" }, { title: "For", nowrap: true },
  { title: "Grace left", nowrap: true }, { title: "Should be over by" }, { title: "Still in flight" }, { title: "Mark" }];
let drains = null;

export function tellDrains(status) {
  if (drains === null) {
    drains = table("What is marked, by whom, and what is left there", COLUMNS);
    find("drain-table").append(drains.node);
  }
  find("no-drains").hidden = status.drains.length > 0;
  find("drain-table").hidden = status.drains.length === 0;
  each(drains.body, status.drains, ({ target }) => target, ({ target }) => {
    const line = row(COLUMNS);
    line.cells_[8].append(make("button", { type: "button", "aria-label": `Undrain ${target}…`, onclick: () => openMark(target, false) }, "Undrain…"));
    return line;
  }, (line, drain) => {
    // Who is in no hurry: the backends that requests are still at.
    const own = status.backends.filter((backend) => backend.in_flight > 0 && (backend.key === drain.target || backend.region === drain.target));
    const left = own.map((backend) => `${backend.key}: ${number(backend.in_flight)}`).join(", ");
    [drain.target, `◧ ${drain.state}`, drain.reason, drain.by ?? "–", drain.since === null ? "–" : span(status.now - drain.since),
      drain.grace_left_s === null ? "–" : drain.grace_left_s === 0 ? "over" : span(drain.grace_left_s * 1000), drain.until ?? "–",
      left === "" ? "nothing" : left].forEach((text, index) => write(line.cells_[index], text));
    attribute(line.cells_[7], "class", left === "" ? null : "doubt");
  });
  const names = [...status.regions.map(({ name }) => name), ...status.backends.map(({ key }) => key)];
  each(find("mark-targets"), names, (name) => name, (name) => make("option", { value: name }));
}

let marking = true;

// Opens the form: for a mark on `target`, or for taking it off.
export function openMark(target, isDrain) {
  marking = isDrain;
  const form = find("mark-form");
  form.reset();
  form.elements.target.value = target;
  write(find("mark-title"), `${isDrain ? "Drain" : "Undrain"} ${target}`.trim());
  for (const part of form.querySelectorAll(".drain-only")) part.hidden = !isDrain;
  form.elements.reason.required = isDrain;
  find("mark-shown").replaceChildren();
  find("mark").showModal();
  (isDrain && target !== "" ? form.elements.reason : isDrain ? form.elements.target : find("mark-show")).focus();
}

export function beginMarks() {
  const form = find("mark-form");
  find("drain-other").addEventListener("click", () => openMark("", true));
  find("mark-cancel").addEventListener("click", () => find("mark").close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask({});
  });
  // What was shown is of another wish now.
  form.addEventListener("input", ({ target }) => { if (target.id !== "mark-force") find("mark-shown").replaceChildren(); });
}

async function ask(more) {
  const fields = find("mark-form").elements;
  const wish = { target: fields.target.value.trim(), ...more };
  if (marking) for (const name of ["reason", "by", "grace", "until"]) if (fields[name].value.trim() !== "") wish[name] = fields[name].value.trim();
  const shown = find("mark-shown");
  try {
    const answer = await fetch(marking ? "/drain" : "/undrain", {
      method: "POST",
      headers: { "content-type": "application/json", "x-nearside-change": "1" },
      body: JSON.stringify(wish),
    });
    const text = await answer.text();
    if (!answer.headers.get("content-type")?.startsWith("application/json")) {
      shown.replaceChildren(make("p", { class: "bad", role: "alert" }, text.trim()));
      return;
    }
    tell(JSON.parse(text), wish);
  } catch (cause) {
    shown.replaceChildren(make("p", { class: "bad", role: "alert" }, `No answer: ${cause.message}`));
  }
}

function tell(told, wish) {
  const shown = find("mark-shown");
  const verb = marking ? "Drain" : "Undrain";
  if (told.done) {
    const close = make("button", { type: "button", id: "mark-close", onclick: () => find("mark").close() }, "Close");
    const saying = marking ? "is marked drained: the table of drains shows how it empties." : "is no longer marked.";
    shown.replaceChildren(make("p", { class: "answer", id: "mark-done" }, `${told.target} ${saying}`), close);
    close.focus();
    return;
  }
  const parts = [];
  if (told.refused) parts.push(make("p", { class: "bad", role: "alert" }, `Not done: ${told.refused}.`));
  if (told.says_so_already) parts.push(make("p", {}, "The file says so already."));
  parts.push(regions(told));
  parts.push(make("p", { class: "faint" }, `${told.basis}; shares are right to about a percent`));
  for (const word of told.objections) parts.push(make("p", { class: "bad" }, `✕ ${word}`));
  for (const word of told.doubtful) parts.push(make("p", { class: "doubt" }, `▲ ${word}`));
  if (told.objections.length === 0 && marking) parts.push(make("p", { class: "well" }, "● Nothing is known that speaks against it."));
  const command = make("pre", { tabindex: "0", id: "mark-command" }, told.command);
  if (told.why_not) {
    parts.push(make("p", { class: "doubt" }, `▲ It cannot be done here: ${told.why_not}.`), make("p", {}, "This does it:"), command);
  } else if (!told.says_so_already) {
    const force = make("input", { type: "checkbox", id: "mark-force" });
    const confirm = make("button", { type: "button", class: "strong", id: "mark-confirm" }, `${verb} ${told.target} now`);
    confirm.addEventListener("click", () => ask({ confirm: told.confirm, force: force.checked }));
    if (told.objections.length > 0) {
      confirm.disabled = true;
      force.addEventListener("change", () => { confirm.disabled = !force.checked; });
      parts.push(make("p", {}, make("label", { for: "mark-force" }, force, " Drain it anyway")));
    }
    const what = make("details", {}, make("summary", {}, "What is changed in the file, and the same as a command"), command);
    if (told.patch) what.append(difference(told.patch));
    parts.push(what, make("p", { class: "buttons" }, confirm));
  }
  shown.replaceChildren(...parts);
  // Where it is to be decided now, the keyboard need not look for it.
  (shown.querySelector("#mark-force") ?? shown.querySelector("#mark-confirm"))?.focus();
}

function regions(told) {
  const figure = (region, when) => {
    const [share, rps] = [region[`share_${when}`], region[`rps_${when}`]];
    return rps === null ? percent(share) : `${percent(share)}, ${number(rps)}/s`;
  };
  const columns = [{ title: "Region" }, { title: "Now", number: true }, { title: "Then", number: true }, { title: "Capacity", number: true }, { title: "Verdict" }];
  return filled("Where the requests would go", columns, told.regions.map((region) => [region.region, figure(region, "before"), figure(region, "after"),
    region.capacity_rps === null ? "not declared" : `${number(region.capacity_rps)}/s`, region.overloaded ? "✕ too much" : region.capacity_rps === null ? "–" : region.overloaded === false ? "● fits" : "not known"]));
}
