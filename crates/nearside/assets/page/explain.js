// The form that asks why a request would go where it goes, and the steps of the answer.
import { find, make, row, table, write } from "./dom.js";

const COLUMNS = [{ title: "Step" }, { title: "Backend" }, { title: "Reason" }, { title: "Why" }];

export function beginExplain() {
  find("explain-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams(new FormData(event.target));
    if (query.get("fields") === "") query.delete("fields");
    const shown = find("explained");
    try {
      const answer = await fetch(`/explain?${query}`);
      const text = await answer.text();
      if (answer.ok) shown.replaceChildren(...told(JSON.parse(text)));
      else shown.replaceChildren(make("p", { class: "bad", role: "alert" }, text.trim()));
    } catch (cause) {
      shown.replaceChildren(make("p", { class: "bad", role: "alert" }, `No answer: ${cause.message}`));
    }
  });
}

function told(answer) {
  const { request, choice, steps } = answer;
  const made = table(`The decision, step by step, by generation ${answer.generation}`, COLUMNS);
  steps.forEach(({ step, events }, index) => {
    const lines = events.length === 0 ? [{ reason: "passes all on", why: "" }] : events;
    lines.forEach((event, place) => {
      const line = row(COLUMNS);
      const reason = event.readmitted ? "readmitted" : event.reason;
      [place === 0 ? `${index + 1} ${step}` : "", event.backend ?? "", reason ?? "", event.why ?? ""].forEach((text, at) => write(line.cells_[at], text));
      made.body.append(line);
    });
  });
  const doubts = (request.disbelieved ?? []).map(({ claim, why }) => make("p", { class: "doubt" }, `▲ Not believed: ${claim} (${why}); it has no effect.`));
  const asked = `${request.method} ${request.host}${request.path} from ${request.client} (${request.place})`;
  return [make("p", { class: "answer", id: "choice" }, ending(choice)), make("p", { class: "faint" }, asked), ...doubts, made.node];
}

function ending(choice) {
  if (choice.forward) return `➜ ${choice.forward} in ${choice.region}: ${choice.reason} (${choice.why})`;
  if (choice.answer) return `➜ answered here by route ${choice.answer}`;
  return `✕ refused with ${choice.status}: ${choice.refuse} (${choice.why})`;
}
