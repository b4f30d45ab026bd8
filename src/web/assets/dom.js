// Builds elements. Text is always text: nothing that comes from elsewhere is ever read as HTML.

/**
 * An element of `tag` (`"p"`, `"p.muted"`, `"button.primary.small"`).
 *
 * `props`: `on…` members are listeners, `dataset` and `style` (custom properties) are taken member by
 * member, members that the element has as properties are set as such, all others are attributes;
 * `null`, `undefined` and `false` leave one out. `children` may be nodes, texts, numbers, nested lists;
 * `null`, `undefined` and `false` are left out.
 *
 * @param {string} tag
 * @param {Record<string, any> | null} [props]
 * @param {...any} children
 */
export function el(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name), classes, props, children);
}

/** As {@link el}, for SVG. */
export function svg(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), classes, props, children);
}

function fill(element, classes, props, children) {
  if (classes.length) element.classList.add(...classes);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else if (key === "style") for (const [name, said] of Object.entries(value)) element.style.setProperty(name, said);
    else if (element instanceof HTMLElement && key in element && typeof element[key] !== "object") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...there(children));
  return element;
}

/** What of nested `children` is to be shown. */
const there = (children) => children.flat(Infinity).filter((child) => child !== false && child != null);

/** Puts `children` in the place of all that is in `parent`. */
export function put(parent, ...children) {
  parent.replaceChildren(...there(children));
}
