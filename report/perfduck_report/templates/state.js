// What is looked at (zoom, search, function) as the fragment of the page's address, so that it can be
// sent to somebody and the browser goes back to it: page.html#search=nf_nat&function=nf_hook_slow
"use strict";
const perfduckView = (function () {
  const read = () => new URLSearchParams(location.hash.slice(1));
  // `changes`: values by name, empty ones are dropped. `isStep`: going back returns to before it.
  function set(changes, isStep) {
    const values = read();
    for (const [name, value] of Object.entries(changes)) {
      if (value) values.set(name, value);
      else values.delete(name);
    }
    const text = values.toString();
    if (text === read().toString()) return;
    const address = text ? `#${text}` : `${location.pathname}${location.search}`;
    if (isStep) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }
  const get = (name) => read().get(name) || "";
  // Typed into the address, or gone back to.
  const onChange = (show) => addEventListener("popstate", show);
  return { get, set, onChange };
})();
