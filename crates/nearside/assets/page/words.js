// Words: figures and states as people read them. A state has a sign and a word beside its colour.

const STANDINGS = {
  healthy: ["●", "healthy", "well"],
  unknown: ["◌", "unknown", "doubt"],
  suspected: ["▲", "suspected", "doubt"],
  ejected: ["▲", "ejected", "bad"],
  unhealthy: ["✕", "unhealthy", "bad"],
};

const WITNESSES = {
  initial: "nobody yet",
  probe: "its probes",
  requests: "errors of live requests",
  suspicion: "requests that hang",
  latency: "late answers",
  operator: "the operator",
};

// How a backend stands, with the mark before all else.
export function standing(backend) {
  const [sign, word, tone] = STANDINGS[backend.standing] ?? ["◌", backend.standing, "doubt"];
  if (backend.drain !== null && backend.drain !== undefined) return { text: `◧ drained (${word})`, tone: "faint", word };
  const held = backend.usable || tone === "bad" ? "" : ", not used";
  return { text: `${sign} ${word}${held}`, tone: held ? "doubt" : tone, word };
}

// How a region stands: the operator's mark on it or on all that it has, and how many of its backends are usable.
export function regional(region, backends) {
  if (region.state !== "active") return { text: `◧ ${region.state}`, tone: "faint", line: "drained" };
  const own = backends.filter((backend) => backend.region === region.name);
  if (own.length > 0 && own.every(({ drain }) => drain)) return { text: "◧ all drained", tone: "faint", line: "drained" };
  if (region.usable === 0) return { text: "✕ none usable", tone: "bad", line: "none" };
  if (region.usable < region.backends) return { text: `▲ ${region.usable} of ${region.backends} usable`, tone: "doubt", line: "some" };
  return { text: "● all usable", tone: "well", line: "well" };
}

export const witness = (by) => WITNESSES[by] ?? String(by ?? "–");

export const percent = (share) => {
  if (share === null || share === undefined) return "–";
  const number = share * 100;
  return number > 0 && number < 1 ? "<1 %" : `${Math.round(number)} %`;
};

export const millis = (ms) => {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
};

export const number = (value) => {
  if (value === null || value === undefined) return "–";
  return value !== 0 && Math.abs(value) < 10 ? String(Math.round(value * 10) / 10) : Math.round(value).toLocaleString("en");
};

// How long, in the two largest units.
export function span(ms) {
  if (ms === null || ms === undefined) return "–";
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const index = parts.findIndex(([size]) => seconds >= size);
  if (index < 0) return "0 s";
  const [size, unit] = parts[index];
  const next = parts[index + 1];
  const rest = next ? Math.floor((seconds % size) / next[0]) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest > 0 ? ` ${rest} ${next[1]}` : ""}`;
}

// A moment of the journal: the time, with its day where that is another one. In UTC, as everywhere here.
export function clock(text) {
  const today = new Date().toISOString().slice(0, 10);
  const [day, rest] = String(text).split("T");
  const time = (rest ?? "").slice(0, 8);
  return day === today ? time : `${day} ${time}`;
}

export const one = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
