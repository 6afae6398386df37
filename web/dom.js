/* dom.js - the few DOM steps the page needs.  Text only ever enters through textContent. */

export const byId = (id) => document.getElementById(id);

/* A new element; `text` becomes its textContent, everything else an attribute. */
export function element(name, {text, ...attributes} = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/* A part of a drawing. */
export function svg(kind, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/* Leaves the node alone when nothing changes: a selection in it survives, and nothing is announced twice. */
export function setText(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/* Fills a <dl> with [name, value] pairs.  Rows are reused, for the same reason. */
export function setFacts(list, facts) {
  while (list.children.length > facts.length) list.lastElementChild.remove();
  facts.forEach(([name, value], i) => {
    const row = list.children[i] ?? list.appendChild(element("div", {}, element("dt"), element("dd")));
    setText(row.firstElementChild, name);
    setText(row.lastElementChild, value);
  });
}

/* Fills a <tbody>; the first cell of a row is its header. */
export function setRows(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => {
    const row = body.rows[i] ?? body.insertRow();
    while (row.cells.length < cells.length) {
      row.append(row.cells.length ? element("td") : element("th", {scope: "row"}));
    }
    cells.forEach((cell, j) => setText(row.cells[j], cell));
  });
}
