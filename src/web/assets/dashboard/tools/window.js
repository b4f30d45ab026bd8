// Shows of a long list only the rows that are in sight, so that thousands of them cost as little as a few. Rows have
// one height, which the style sheet says (`--row-height`). What the keyboard is on and what is being read stays where
// it is when the list changes around it.

/** Rows made beyond both edges, so that the keyboard finds the next one. */
const BEYOND = 8;

/**
 * @param {HTMLElement} body what holds the rows
 * @param {HTMLElement} box what scrolls, where the list does not scroll with the page
 * @param {(key: string) => { element: HTMLElement, update: (index: number) => void }} make
 */
export function windowed(body, box, make) {
  /** @type {Map<string, { element: HTMLElement, update: (index: number) => void, at?: number }>} */
  const rows = new Map();
  let keys = [];
  let places = new Map();
  let frame = 0;
  let height = 0;
  let scroller = document.scrollingElement;

  const soon = () => (frame ||= requestAnimationFrame(draw));

  /** Looks up what only a change of the layout changes. */
  function measure() {
    const style = getComputedStyle(body);
    const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
    height = parseFloat(style.getPropertyValue("--row-height")) * root || 64;
    scroller = getComputedStyle(box).overflowY === "auto" ? box : document.scrollingElement;
    soon();
  }

  /** From where to where of the list can be seen, in pixels from its top. */
  function sight() {
    const { top } = body.getBoundingClientRect();
    const edges = scroller === box ? box.getBoundingClientRect() : { top: 0, bottom: innerHeight };
    return { from: Math.max(0, edges.top) - top, to: Math.min(innerHeight, edges.bottom) - top };
  }

  function draw() {
    frame = 0;
    if (!height || !body.isConnected) return;
    const { from, to } = sight();
    const first = Math.max(0, Math.floor(from / height) - BEYOND);
    const last = Math.min(keys.length, Math.ceil(to / height) + BEYOND);
    const wanted = new Set(keys.slice(first, Math.max(first, last)));
    const focused = body.contains(document.activeElement) ? document.activeElement : undefined;
    const held = focused?.closest("[data-key]")?.dataset.key;
    if (held !== undefined && places.has(held)) wanted.add(held);
    for (const [key, row] of rows) {
      if (wanted.has(key)) continue;
      row.element.remove();
      rows.delete(key);
    }
    let next = body.firstElementChild;
    for (const key of [...wanted].sort((a, b) => places.get(a) - places.get(b))) {
      const row = rows.get(key) ?? add(key);
      const at = places.get(key);
      if (row.at !== at) row.element.style.setProperty("--at", String((row.at = at)));
      row.update(at);
      if (row.element === next) next = next.nextElementSibling;
      else body.insertBefore(row.element, next);
    }
    // To move an element takes the focus from it.
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  }

  function add(key) {
    const row = make(key);
    row.element.dataset.key = key;
    rows.set(key, row);
    return row;
  }

  /** The first row in sight that will still be there. */
  function anchor(nextPlaces) {
    if (!height) return undefined;
    const { from } = sight();
    if (from <= 0) return undefined;
    return keys.slice(Math.floor(from / height)).find((key) => nextPlaces.has(key));
  }

  const resized = new ResizeObserver(measure);

  return {
    measure,
    /** Watches for what moves the list; only while it is shown. */
    watch() {
      addEventListener("scroll", soon, { capture: true, passive: true });
      resized.observe(box);
      resized.observe(document.documentElement);
      measure();
    },
    unwatch() {
      removeEventListener("scroll", soon, { capture: true });
      resized.disconnect();
    },
    /** Writes what has changed to the rows in sight, with the next frame. */
    refresh: soon,
    /** Another list. `isKept`: what is in sight is to stay in sight, as nobody asked for another order. */
    list(next, { isKept }) {
      const nextPlaces = new Map(next.map((key, index) => [key, index]));
      const kept = isKept ? anchor(nextPlaces) : undefined;
      const moved = kept === undefined ? 0 : nextPlaces.get(kept) - places.get(kept);
      keys = next;
      places = nextPlaces;
      body.style.setProperty("--rows", String(keys.length));
      if (moved) scroller.scrollTop += moved * height;
      draw();
    },
    /** Brings the row of `key` into sight, where the list scrolls by itself. */
    reveal(key) {
      if (scroller === box && places.has(key)) reveal(places.get(key));
    },
    /** Puts the focus on the row of `key`, bringing it into sight. Whether there is one. */
    focus(key) {
      const at = places.get(key);
      if (at === undefined) return false;
      reveal(at);
      draw();
      const { element } = rows.get(key);
      element.querySelector("a").focus({ preventScroll: true });
      // The bar and the heading cover some of the page.
      element.scrollIntoView({ block: "nearest" });
      return true;
    },
    /** The key `by` rows from that of `key`, or at an end. */
    beside: (key, by) => keys[Math.min(keys.length - 1, Math.max(0, (places.get(key) ?? -1) + by))],
  };

  function reveal(at) {
    const { from, to } = sight();
    const top = at * height;
    if (top < from) scroller.scrollTop += top - from;
    else if (top + height > to) scroller.scrollTop += top + height - to;
  }
}
