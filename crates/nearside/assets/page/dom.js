// Elements: made once, then kept up to date in place, so that focus and what is open stay. Whatever comes from the
// network is set as text or as an attribute, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export const find = (id) => document.getElementById(id);

// An element with these attributes and children; text is text.
export function make(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

// The same for a drawing.
export function draw(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else attribute(node, name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Sets an attribute, or takes it off.
export function attribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

// Sets a text, where it is another one.
export function write(node, text) {
  const next = text === null || text === undefined ? "" : String(text);
  if (node.textContent !== next) node.textContent = next;
}

const kept = new WeakMap();

// Gives `parent` a child for each item, by key: those that stay are updated where they are.
export function each(parent, items, keyOf, create, update = () => {}) {
  const before = kept.get(parent) ?? new Map();
  const keys = new Set(items.map(keyOf));
  for (const [key, node] of before) {
    if (!keys.has(key)) {
      node.remove();
      before.delete(key);
    }
  }
  let at = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    let node = before.get(key);
    if (node === undefined) {
      node = create(item);
      before.set(key, node);
    }
    update(node, item);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  kept.set(parent, before);
}

// A table with a caption. A column is a title, with `number` where figures stand in it. The roles are said, since a
// phone shows rows as blocks.
export function table(caption, columns) {
  const head = make("tr", { role: "row" }, ...columns.map(({ title, number }) =>
    make("th", { scope: "col", role: "columnheader", class: number ? "number" : null }, title)));
  const body = make("tbody", { role: "rowgroup" });
  const node = make("table", { role: "table" },
    make("caption", {}, caption), make("thead", { role: "rowgroup" }, head), body);
  return { node, body, columns };
}

// A row of such a table, with its cells empty.
export function row(columns) {
  const cells = columns.map(({ title, number, nowrap }) =>
    make("td", { role: "cell", "data-label": title, class: number ? "number" : nowrap ? "nowrap" : null }));
  const node = make("tr", { role: "row" }, ...cells);
  node.cells_ = cells;
  return node;
}

// A table that is filled anew as a whole: what is shown once.
export function filled(caption, columns, rows) {
  const made = table(caption, columns);
  for (const texts of rows) {
    const line = row(columns);
    texts.forEach((text, index) => write(line.cells_[index], text));
    made.body.append(line);
  }
  return made.node;
}

// Lines of a difference, each marked by its first character.
export function difference(text) {
  const kind = (line) =>
    line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : line.startsWith("@@") ? "place" : null;
  return make("pre", { tabindex: "0" }, ...text.split("\n").filter((line) => line !== "").map((line) =>
    make("span", { class: kind(line) }, line + "\n")));
}
