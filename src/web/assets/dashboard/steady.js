// Changes of a page that leave alone whatever stays the same, so that focus, scroll and what is open are kept.

import { put } from "../dom.js";

/**
 * Makes `wanted` the children of `list`. Those that are there and stay in their order are not touched.
 *
 * @param {HTMLElement} list
 * @param {HTMLElement[]} wanted
 */
export function arrange(list, wanted) {
  const staying = new Set(wanted);
  for (const child of [...list.children]) if (!staying.has(child)) child.remove();
  let next = list.firstElementChild;
  for (const element of wanted) {
    if (element === next) next = next.nextElementSibling;
    else list.insertBefore(element, next);
  }
}

/**
 * A place whose content is made anew only when what it tells of has become something else.
 *
 * @template {HTMLElement} Place
 * @param {Place} element
 * @param {(...about: any[]) => any} make  gives its children
 */
export function part(element, make) {
  let told;
  return {
    element,
    /** @param {...any} about  what `make` is told; it is compared by what it is as JSON */
    tell(...about) {
      const text = JSON.stringify(about);
      if (text === told) return;
      told = text;
      put(element, make(...about));
    },
  };
}
