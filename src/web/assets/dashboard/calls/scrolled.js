// Whether somebody has scrolled past the top of a list.

/** The page's bar covers this much. */
const BAR_PX = 64;

/**
 * @param {HTMLElement} top an element without height, where the list begins
 * @param {() => void} changed
 */
export function scrolledPast(top, changed) {
  let isPast = false;
  const observer = new IntersectionObserver(
    (entries) => {
      const { isIntersecting, boundingClientRect } = entries.at(-1);
      // Below the window it is out of sight as well.
      isPast = !isIntersecting && boundingClientRect.top < BAR_PX;
      changed();
    },
    { rootMargin: `-${BAR_PX}px 0px 0px` },
  );
  return {
    isPast: () => isPast,
    watch: () => observer.observe(top),
    unwatch() {
      observer.disconnect();
      isPast = false;
    },
  };
}
