// The map: this PoP, the regions, and the ways between them. Land is Natural Earth's, the projection Equal Earth, drawn
// around what there is to see. The table below says the same, and is what a screen reader reads.
/* global d3, topojson */
import { attribute, draw, each, find, row, table, write } from "./dom.js";
import { millis, number, one, percent, regional } from "./words.js";

// A phone gets a smaller drawing, so that its words stay readable.
const sizes = () => (window.innerWidth < 736 ? { width: 560, height: 400, size: 20 } : { width: 1000, height: 430, size: 15 });
// What of the globe is shown at least, in degrees, however near to each other the places are.
const LEAST = 24;

let land = null;
let drawn = null;

// Fetches the land. Without it the ways are drawn all the same.
export async function fetchLand() {
  const answer = await fetch("/vendor/land-110m.json");
  const topology = await answer.json();
  land = topojson.feature(topology, topology.objects.land);
  drawn = null;
}

// The smallest round trip to a region's backends: what decisions go by.
function nearest(status, region) {
  const known = status.backends.filter((backend) => backend.region === region.name && backend.rtt_ms !== null);
  return known.reduce((best, backend) => (best === null || backend.rtt_ms < best.rtt_ms ? backend : best), null);
}

const points = ({ at }) => [at[1], at[0]];

export function drawMap(status) {
  const placed = status.regions.filter((region) => region.at);
  const absent = status.regions.filter((region) => !region.at).map((region) => region.name);
  const notes = [];
  if (absent.length > 0) notes.push(`Not on the map, since the file does not say where they are: ${absent.join(", ")}.`);
  if (!status.pop.at) notes.push("This PoP does not say where it stands (--place), so that no way begins.");
  write(find("map-note"), notes.join(" "));
  const spots = [...placed, ...(status.pop.at ? [status.pop] : [])];
  find("world").hidden = spots.length === 0;
  if (spots.length === 0) return;
  // Drawn anew only where places have changed; what moves is changed in place.
  const shape = JSON.stringify([sizes(), spots.map(({ name, at }) => [name, at])]);
  if (drawn === null || drawn.shape !== shape) drawn = { shape, ...globe(spots) };
  ways(status, placed);
}

function globe(spots) {
  const { width, height } = sizes();
  const middle = d3.geoCentroid({ type: "MultiPoint", coordinates: spots.map(points) });
  const projection = d3.geoEqualEarth().rotate([-middle[0], 0]);
  const around = spots.flatMap((spot) => {
    const [lon, lat] = points(spot);
    const within = (degrees) => Math.max(-80, Math.min(80, degrees));
    const half = LEAST / 2;
    return [[lon - half, within(lat - half * 0.6)], [lon + half, within(lat + half * 0.6)]];
  });
  projection.fitExtent([[70, 45], [width - 110, height - 55]], { type: "MultiPoint", coordinates: around });
  projection.clipExtent([[-5, -5], [width + 5, height + 5]]);
  const path = d3.geoPath(projection);
  const layers = { ways: draw("g"), spots: draw("g"), words: draw("g") };
  const title = draw("title", { id: "map-title" });
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "map-title" }, title,
    draw("path", { class: "graticule", d: path(d3.geoGraticule10()) }),
    land === null ? null : draw("path", { class: "land", d: path(land) }),
    layers.ways, layers.spots, layers.words);
  find("world").replaceChildren(svg);
  return { projection, path, title, layers };
}

function ways(status, placed) {
  const { projection, path, title, layers } = drawn;
  const pop = status.pop.at ? status.pop : null;
  const seen = placed.map((region) => ({ region, way: regional(region, status.backends), near: nearest(status, region) }));
  const said = seen.map(({ region, way, near }) => `${region.name}: ${way.text}, ${millis(near?.rtt_ms)}`);
  write(title, `${pop ? `From PoP ${pop.name}. ` : ""}${said.join("; ")}`);
  each(layers.ways, pop ? seen : [], ({ region }) => region.name, () => draw("path"), (node, { region, way }) => {
    attribute(node, "class", `way ${way.line}`);
    attribute(node, "data-region", region.name);
    attribute(node, "stroke-width", (2 + 9 * (region.traffic.share ?? 0)).toFixed(1));
    attribute(node, "d", path({ type: "LineString", coordinates: [points(pop), points(region)] }));
  });
  const spots = [...seen.map(({ region, way }) => ({ at: region.at, name: `region ${region.name}`, kind: way.line, size: 6 })),
    ...(pop ? [{ at: pop.at, name: "pop", kind: "pop", size: 8 }] : [])];
  each(layers.spots, spots, ({ name }) => name, () => draw("circle"), (node, spot) => {
    const [x, y] = projection(points(spot));
    attribute(node, "class", `spot ${spot.kind}`);
    attribute(node, "r", spot.size);
    attribute(node, "cx", x.toFixed(1));
    attribute(node, "cy", y.toFixed(1));
  });
  label(layers.words, seen, pop, projection);
}

// Names beside their spots, where they cover neither spots nor each other: to the right where there is room.
function label(layer, seen, pop, projection) {
  const { width: right, height: bottom, size } = sizes();
  const texts = seen.map(({ region, way, near }) => ({
    at: projection(points(region)),
    key: region.name,
    lines: right < 800 ? [region.name, `${millis(near?.rtt_ms)}, ${percent(region.traffic.share)}`, way.text]
      : [region.name, `${millis(near?.rtt_ms)} · ${percent(region.traffic.share)} · ${way.text}`],
  }));
  if (pop) texts.unshift({ at: projection(points(pop)), key: "", lines: [`PoP ${pop.name}`] });
  const taken = texts.map(({ at }) => [at[0] - 9, at[1] - 9, at[0] + 9, at[1] + 9]);
  for (const text of texts) {
    const width = Math.max(...text.lines.map((line) => line.length)) * size * 0.53;
    const height = text.lines.length * size * 1.25;
    const [x, y] = text.at;
    const gap = 14;
    const spots = [[x + gap, y - height / 2], [x - gap - width, y - height / 2], [x - width / 2, y - gap - height], [x - width / 2, y + gap],
      [x + gap, y - gap - height], [x + gap, y + gap], [x - gap - width, y - gap - height], [x - gap - width, y + gap]];
    const cost = ([left, top]) => {
      const box = [left, top, left + width, top + height];
      const over = taken.reduce((sum, other) => sum + overlap(box, other), 0);
      const outside = Math.max(0, -box[0]) + Math.max(0, box[2] - right) + Math.max(0, -box[1]) + Math.max(0, box[3] - bottom);
      return over + outside * 1000;
    };
    const [left, top] = spots.reduce((best, spot) => (cost(spot) < cost(best) - 0.5 ? spot : best));
    taken.push([left, top, left + width, top + height]);
    Object.assign(text, { left, top, align: left + width < x ? "end" : left < x ? "middle" : "start", width });
  }
  each(layer, texts, ({ key }) => key, ({ lines }) =>
    draw("text", {}, ...lines.map((_, index) => draw("tspan", { class: index === 0 ? "name" : "more" }))), (node, text) => {
    const x = { start: text.left, middle: text.left + text.width / 2, end: text.left + text.width }[text.align];
    attribute(node, "font-size", size);
    attribute(node, "text-anchor", text.align);
    text.lines.forEach((line, index) => {
      const part = node.children[index];
      write(part, line);
      attribute(part, "x", x.toFixed(1));
      attribute(part, "y", (text.top + size * (1 + index * 1.25)).toFixed(1));
    });
  });
}

const overlap = ([a, b, c, d], [e, f, g, h]) =>
  Math.max(0, Math.min(c, g) - Math.max(a, e)) * Math.max(0, Math.min(d, h) - Math.max(b, f));

const COLUMNS = [{ title: "Region" }, { title: "State", nowrap: true }, { title: "Round trip", number: true }, { title: "Share", number: true },
  { title: "Requests/s", number: true }, { title: "Failed/s", number: true }, { title: "In flight", number: true },
  { title: "Capacity", number: true }, { title: "Why" }, { title: "Mark" }];
let regions = null;

// The regions as a table, with why each has what it has. `act` opens the form for a mark.
export function tellRegions(status, act) {
  if (regions === null) {
    regions = table("What each region had of the last minute, and why", COLUMNS);
    find("region-table").append(regions.node);
  }
  each(regions.body, status.regions, ({ name }) => name, (region) => {
    const line = row(COLUMNS);
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => act(region.name, button.dataset.does === "drain"));
    line.cells_[9].append(button);
    line.button_ = button;
    return line;
  }, (line, region) => {
    const near = nearest(status, region);
    const { traffic } = region;
    const rate = (count) => (traffic.window_s > 0 ? number(count / traffic.window_s) : "–");
    const state = regional(region, status.backends);
    const used = region.capacity_rps ? `${number(region.offered_rps)} of ${number(region.capacity_rps)}/s` : "–";
    [region.name, state.text, near?.rtt_by === "distance" ? `~${millis(near.rtt_ms)}` : millis(near?.rtt_ms), percent(traffic.share),
      rate(traffic.requests), rate(traffic.failed), number(region.in_flight), used, why(region)].forEach((text, index) => write(line.cells_[index], text));
    attribute(line.cells_[1], "class", `nowrap ${state.tone}`);
    attribute(line.cells_[5], "class", traffic.failed > 0 ? "number bad" : "number");
    const does = region.state === "active" ? "drain" : "undrain";
    line.button_.dataset.does = does;
    write(line.button_, does === "drain" ? "Drain…" : "Undrain…");
    attribute(line.button_, "aria-label", does === "drain" ? `Drain ${region.name}…` : `Undrain ${region.name}…`);
  });
}

function why(region) {
  const given = Object.entries(region.traffic.reasons).sort(([, a], [, b]) => b - a).slice(0, 3);
  const got = given.map(([reason, count]) => `${reason} ×${number(count)}`);
  const left = region.traffic.left_out.slice(0, 3).map(({ pool, why: because }) => `${pool}: ${because}`);
  const more = region.traffic.left_out.length - left.length;
  return [...got, ...left, ...(more > 0 ? [`and ${one(more, "pool")} more`] : [])].join("; ");
}
