// What several scripts of a page need. Names come from recordings: they are only ever set as text.
"use strict";
const perfduckCommon = (function () {
  const byId = (id) => document.getElementById(id);
  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  function amount(value) {
    const size = Math.abs(value);
    if (value === 0) return "0";
    const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  // Nodes of a flame graph, parents before their children: own weights summed up, as base, new and the larger.
  function nodesOf(data) {
    const nodes = data.parent.map((parent, index) => {
      const frame = data.frames[data.frame[index]] || ["all", "", -1];
      const own = [data.base[index], data.new[index]];
      return { index, parent, name: frame[0], dso: frame[1], subsystem: frame[2], weights: [...own, Math.max(...own)], below: [] };
    });
    for (let index = nodes.length - 1; index > 0; index--) {
      const node = nodes[index], above = nodes[node.parent];
      above.below.unshift(node);
      node.weights.forEach((weight, side) => { above.weights[side] += weight; });
    }
    return nodes;
  }

  // Colours are CSS variables, so that dark, light and print each have their own.
  function growth([base, fresh]) {
    const larger = Math.max(base, fresh);
    const part = larger ? (fresh - base) / larger : 0;
    return `color-mix(in oklab, var(--${part > 0 ? "grow" : "shrink"}) ${Math.round(100 * Math.abs(part))}%, var(--same))`;
  }

  // The line of an answer that is an error.
  async function lineOf(response) {
    try {
      const answer = await response.json();
      return answer.error || `${response.status} ${response.statusText}`;
    } catch {
      return `${response.status} ${response.statusText}`;
    }
  }
  return { byId, element, amount, nodesOf, growth, lineOf };
})();
