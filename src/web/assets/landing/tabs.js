// Turns rows of links to panels into tabs. Which one is chosen stands in the URL's fragment, to be linked to.

/** Makes tabs of every `.tabs`, and follows the fragment. */
export function makeTabs() {
  for (const group of document.querySelectorAll(".tabs")) makeGroup(group);
  addEventListener("hashchange", followFragment);
  followFragment();
}

function makeGroup(group) {
  const row = group.querySelector("nav");
  // A list of tabs is no navigation: a `nav` may not be given that role.
  const list = document.createElement("div");
  list.className = row.className;
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", row.getAttribute("aria-label"));
  list.append(...row.children);
  row.replaceWith(list);

  const tabs = [...list.children];
  for (const tab of tabs) {
    const panel = panelOf(tab);
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    tab.id = `${panel.id}-tab`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    // The tab says it already.
    panel.querySelector("h3").classList.add("unseen");
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      choose(tab);
      history.replaceState(null, "", tab.hash);
    });
  }
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(event.target);
    const goal = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1, " ": at }[event.key];
    if (goal === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const tab = tabs.at(goal % tabs.length);
    tab.focus();
    tab.click();
  });
  choose(tabs[0]);
  group.classList.add("ready");
}

/** Shows the panel of `tab` and hides those of its neighbours. */
function choose(tab) {
  for (const other of tab.parentElement.children) {
    const isChosen = other === tab;
    other.setAttribute("aria-selected", isChosen);
    other.tabIndex = isChosen ? 0 : -1;
    panelOf(other).hidden = !isChosen;
  }
}

function followFragment() {
  const tab = document.getElementById(`${location.hash.slice(1)}-tab`);
  if (!tab) return;
  choose(tab);
  tab.closest("section").scrollIntoView();
}

const panelOf = (tab) => document.getElementById(tab.hash.slice(1));
