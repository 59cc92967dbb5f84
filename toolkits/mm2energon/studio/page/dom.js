// Elements are built here and nowhere else: texts become text nodes, so that data is never read as HTML.

const SVG = "http://www.w3.org/2000/svg";
const ADDRESSES = new Set(["href", "src", "poster"]);

/**
 * An element: `el("button.primary", {type: "button", onclick: run}, "Accept")`.
 *
 * Attributes: `on...` functions are listeners, `true` an empty attribute, `false`, `null` and `undefined` none,
 * `dataset` an object; `value`, `checked`, `disabled`, `selected` and `indeterminate` are set as properties.
 * Children: texts, numbers, nodes, (nested) arrays of them; `null` and `false` are left out.
 */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  return fill(node, attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Puts other children in place of an element's own. */
export function replace(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

/** A text with its number: `count(1, "entry", "entries")`. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** A listener of a button: the second click of a double one, which may meet what stands in its place by then, is none. */
export function once(run) {
  return (event) => event.detail < 2 && run(event);
}

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "indeterminate"]);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.classList.add(...String(value).split(" ").filter(Boolean));
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (ADDRESSES.has(name)) node.setAttribute(name, safeAddress(String(value)));
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...flat(children));
  return node;
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/** Addresses lead to this server (or to a blob of this page); a `javascript:` of a hostile entry leads nowhere. */
function safeAddress(address) {
  if (!URL.canParse(address, document.baseURI)) return "#";
  const { protocol, origin } = new URL(address, document.baseURI);
  const ours = origin === location.origin || protocol === "blob:" || protocol === "data:";
  if (!ours || (protocol === "data:" && !address.startsWith("data:image/"))) return "#";
  return address;
}
