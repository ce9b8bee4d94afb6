// The flame graphs of a page: what is drawn, in which colour, zoom, search, keyboard.
// Drawing is d3-flame-graph's. Names come from recordings: they are only ever set as text.
"use strict";
(function () {
  const data = JSON.parse(document.getElementById("flame-data").textContent);
  const { byId, element, amount, nodesOf } = perfduckCommon;
  const compared = data.base.some((value) => value > 0);
  const COLOURS = 16, ROW = 18;
  const BASE = 0, NEW = 1, LARGER = 2;
  const VIEWS = {
    difference: [["", LARGER]],
    new: [["New", NEW]],
    base: [["Base", BASE]],
    both: [["Base", BASE], ["New", NEW]],
  };
  const HINTS = {
    difference: "Width: what a path costs on the more expensive side, so that what vanished shows as well. Depth: callers above, callees below.",
    both: `Both on one scale, in ${data.unit}: a frame twice as wide costs twice as much. Zooming one zooms the other.`,
    base: `Width: cost in base, in ${data.unit}.`,
    new: `Width: cost ${compared ? "in new, " : ""}in ${data.unit}. Depth: callers above, callees below.`,
  };
  const VIEW = compared ? "difference" : "new", COLOUR = compared ? "growth" : "subsystem";
  const state = {
    view: VIEW,
    colour: COLOUR,
    query: "",
    zoom: 0,
    cursor: null,
  };
  let panels = [];

  const nodes = nodesOf(data);
  const root = nodes[0];

  function tree(node, side) {
    const shown = node.below.filter((child) => child.weights[side] > 0);
    return { n: node.name, v: node.weights[side], i: node.index, c: shown.map((child) => tree(child, side)) };
  }

  // ---- words
  const signed = (value) => (value > 0 ? "+" : "") + amount(value);
  const percent = (part, whole) => `${(whole ? (100 * part) / whole : 0).toFixed(1)} %`;
  const subsystemOf = (node) => (node.subsystem < 0 ? "" : data.subsystems[node.subsystem]);

  function facts(node) {
    const [base, fresh] = node.weights;
    const share = [`share of ${compared ? "new" : "all"}`, percent(fresh, root.weights[NEW])];
    if (!compared) return [["cost", `${amount(fresh)} ${data.unit}`], share];
    const ratio = base === 0 ? "only in new" : fresh === 0 ? "only in base" : `${((100 * (fresh - base)) / base).toFixed(1)} %`;
    return [
      ["base", `${amount(base)} ${data.unit}`],
      ["new", `${amount(fresh)} ${data.unit}`],
      ["delta", `${signed(fresh - base)} ${data.unit} (${fresh > base && base > 0 ? "+" : ""}${ratio})`],
      share,
    ];
  }

  function place(node) {
    return [subsystemOf(node), node.dso.split("/").pop()].filter(Boolean).join(" · ");
  }

  function describe(node) {
    const details = byId("details");
    details.replaceChildren();
    if (!node) return;
    details.append(element("code", node.name), element("span", place(node), "soft"));
    for (const [word, value] of facts(node)) {
      const pair = element("span");
      pair.append(element("small", `${word} `), element("b", value));
      details.append(pair);
    }
    if (node !== root && byId("sandwich")) {
      const button = element("button", "Callers and callees", "plain");
      button.type = "button";
      button.dataset.function = node.name;
      details.append(button);
    }
  }

  // ---- the address: a node is the names from the root to it
  const STEP = ";";
  const escaped = (name) => name.replaceAll("\\", "\\x5c").replaceAll(STEP, "\\x3b");
  function pathOf(node) {
    const names = [];
    for (let at = node; at !== root; at = nodes[at.parent]) names.unshift(escaped(at.name));
    return names.join(STEP);
  }
  function nodeAt(path) {
    let node = root;
    for (const name of path ? path.split(STEP) : []) {
      node = node.below.find((child) => escaped(child.name) === name);
      if (!node) return root;
    }
    return node;
  }
  function restore() {
    const view = VIEWS[perfduckView.get("view")] && compared ? perfduckView.get("view") : VIEW;
    const colour = perfduckView.get("colour") || COLOUR;
    for (const group of document.querySelectorAll("[data-choice]")) mark(group, group.dataset.choice === "view" ? view : colour);
    if (view !== state.view || !panels.length) show(view);
    if (colour !== state.colour) paint(colour);
    const query = perfduckView.get("search");
    byId("search").value = query;
    if (query !== state.query) search(query);
    const target = nodeAt(perfduckView.get("zoom")).index;
    if (target !== state.zoom) zoom(target, false);
  }

  // ---- colours
  const number = (subsystem) => (subsystem >= 0 && subsystem < COLOURS ? subsystem + 1 : 0);
  const fill = (node) => (state.colour === "growth" ? perfduckCommon.growth(node.weights) : `var(--s${number(node.subsystem)})`);

  // ---- search
  function matcher(query) {
    const text = query.trim();
    if (!text) return null;
    if (text.startsWith("subsystem:")) {
      const wanted = text.slice(10).trim();
      return (node) => subsystemOf(node) === wanted;
    }
    const expression = /^\/(.+)\/$/.exec(text);
    if (expression) {
      try {
        const pattern = new RegExp(expression[1], "i");
        return (node) => pattern.test(node.name);
      } catch {
        return () => false;
      }
    }
    const wanted = text.toLowerCase();
    return (node) => node.name.toLowerCase().includes(wanted);
  }

  // Weight of what matches; a match below a match is in it already.
  function matched(fits) {
    const sums = [0, 0];
    let count = 0;
    const inside = new Array(nodes.length).fill(false);
    for (const node of nodes) {
      const hit = node !== root && fits(node);
      const above = node !== root && inside[node.parent];
      inside[node.index] = hit || above;
      count += hit ? 1 : 0;
      if (hit && !above) [BASE, NEW].forEach((side) => { sums[side] += node.weights[side]; });
    }
    return { count, sums };
  }

  function tell(fits) {
    if (!fits) return "";
    const { count, sums: [base, fresh] } = matched(fits);
    if (!count) return "No frame matches.";
    const frames = `${count} frame${count === 1 ? "" : "s"}`;
    if (!compared) return `${frames}: ${amount(fresh)} ${data.unit}, ${percent(fresh, root.weights[NEW])} of all`;
    return `${frames}: ${amount(base)} → ${amount(fresh)} ${data.unit} (${signed(fresh - base)}), ${percent(fresh, root.weights[NEW])} of new`;
  }

  // Enter in the search field: to the heaviest match, then to the next.
  function visit() {
    const fits = matcher(state.query);
    if (!fits) return;
    const heavy = (node) => Math.max(node.weights[BASE], node.weights[NEW]);
    const found = nodes.filter((node) => node !== root && fits(node)).sort((a, b) => heavy(b) - heavy(a));
    if (found.length) zoom(found[(found.findIndex((node) => node.index === state.zoom) + 1) % found.length].index);
  }

  function search(query) {
    state.query = query;
    perfduckView.set({ search: query }, false);
    const fits = matcher(query);
    byId("matches").textContent = tell(fits);
    for (const panel of panels) panel.mark(fits);
    for (const chip of document.querySelectorAll("[data-subsystem]")) {
      chip.setAttribute("aria-pressed", String(query === `subsystem:${chip.dataset.subsystem}`));
    }
  }

  // ---- one flame graph
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const touch = matchMedia("(hover: none)");

  function tooltip() {
    const tip = byId("tip");
    const show = () => {};
    show.show = (event, d) => {
      if (touch.matches) return;
      const node = nodes[d.data.i];
      const table = element("table");
      for (const [word, value] of facts(node)) {
        const row = table.insertRow();
        row.append(element("td", word, "soft"), element("td", value));
      }
      tip.replaceChildren(element("code", node.name), element("div", place(node), "soft"), table);
      tip.hidden = false;
      const left = Math.min(event.pageX + 14, scrollX + innerWidth - tip.offsetWidth - 8);
      const under = event.clientY + 18 + tip.offsetHeight < innerHeight;
      tip.style.left = `${Math.max(left, scrollX + 8)}px`;
      tip.style.top = `${under ? event.pageY + 18 : event.pageY - tip.offsetHeight - 12}px`;
    };
    show.hide = () => { tip.hidden = true; };
    return show;
  }

  function makePanel(title, side) {
    const host = element("div", undefined, "panel"), graph = element("div", undefined, "graph");
    if (title && state.view === "both") host.append(element("h3", `${title}: ${amount(root.weights[side])} ${data.unit}`));
    host.append(graph, element("p", `Not in ${title.toLowerCase()}.`, "absent"));
    graph.tabIndex = 0;
    graph.setAttribute("role", "group");
    graph.setAttribute("aria-label", `Flame graph${title ? ` of ${title.toLowerCase()}` : ""}. Arrow keys move between frames.`);
    byId("panels").append(host);
    const chart = flamegraph.default()
      .cellHeight(ROW)
      .inverted(true)
      .minFrameSize(0.8)
      .transitionDuration(0)
      .resetHeightOnZoom(true)
      .tooltip(tooltip())
      .setColorMapper((d) => fill(nodes[d.data.i]))
      .setSearchMatch((d) => fitting !== null && d.data.i !== 0 && fitting(nodes[d.data.i]))
      .setSearchHandler(() => {})
      .onClick((d) => { if (!quiet) zoom(d.data.i); });
    let fitting = null, quiet = false, heads = new Map();
    const selection = d3.select(graph);

    function width(node) {
      const room = host.clientWidth || 600;
      const scale = state.view === "both" ? Math.max(node.weights[BASE], node.weights[NEW]) : node.weights[side];
      return scale ? Math.max((room * node.weights[side]) / scale, 1) : room;
    }
    function draw() {
      chart.width(width(root));
      selection.datum(tree(root, side)).call(chart);
      heads = new Map(selection.datum().descendants().map((d) => [d.data.i, d]));
      decorate();
    }
    function zoomTo(index, moving) {
      const head = heads.get(index);
      host.classList.toggle("gone", !head);
      if (!head) return;
      chart.width(width(nodes[index])).transitionDuration(moving && !calm.matches ? 250 : 0);
      quiet = true;
      chart.zoomTo(head);
      quiet = false;
      decorate();
    }
    function mark(fits) {
      fitting = fits;
      chart.search("");
      decorate();
    }
    function decorate() {
      selection.selectAll("g.frame")
        .classed("miss", (d) => fitting !== null && !d.highlight)
        .classed("hit", (d) => fitting !== null && Boolean(d.highlight))
        .classed("cursor", (d) => d.data.i === state.cursor)
        .attr("data-node", (d) => d.data.i);
    }
    const repaint = () => { chart.transitionDuration(0).update(); decorate(); };
    graph.addEventListener("keydown", keys);
    return { host, graph, draw, zoomTo, mark, decorate, repaint };
  }

  // ---- zoom and keyboard
  function zoom(index, moving = true) {
    state.zoom = index;
    state.cursor = index || state.cursor;
    perfduckView.set({ zoom: pathOf(nodes[index]) }, moving);
    for (const panel of panels) panel.zoomTo(index, moving);
    byId("reset").disabled = index === 0;
    describe(index ? nodes[index] : null);
  }

  function move(key) {
    const node = nodes[state.cursor === null ? state.zoom : state.cursor];
    const drawn = (one) => VIEWS[state.view].some(([, side]) => one.weights[side] > 0);
    if (key === "ArrowUp") return nodes[node.parent];
    if (key === "ArrowDown") return node.below.find(drawn) || node;
    const row = nodes[node.parent].below.filter(drawn);
    const at = row.indexOf(node) + (key === "ArrowRight" ? 1 : -1);
    return row[at] || node;
  }

  function keys(event) {
    if (event.key.startsWith("Arrow")) {
      const node = move(event.key);
      state.cursor = node.index;
      for (const panel of panels) panel.decorate();
      describe(node);
    } else if (event.key === "Enter" || event.key === " ") {
      zoom(state.cursor === null ? state.zoom : state.cursor);
    } else if (event.key === "Escape") {
      zoom(nodes[state.zoom].parent);
    } else {
      return;
    }
    event.preventDefault();
  }

  // ---- the page's controls
  function show(view) {
    state.view = view;
    const host = byId("panels");
    host.replaceChildren();
    host.classList.toggle("both", view === "both");
    panels = VIEWS[view].map(([title, side]) => makePanel(title, side));
    for (const panel of panels) panel.draw();
    byId("view-hint").textContent = HINTS[view];
    if (state.zoom) zoom(state.zoom, false);
    if (state.query) search(state.query);
  }

  function paint(colour) {
    state.colour = colour;
    for (const panel of panels) panel.repaint();
    legend();
  }

  function legend() {
    const host = byId("legend");
    host.replaceChildren();
    if (state.colour === "growth") return host.append(ramp());
    const drawn = new Set(nodes.map((node) => node.subsystem));
    data.subsystems.slice(0, COLOURS).forEach((name, index) => {
      if (drawn.has(index)) host.append(entry(name, index + 1));
    });
    if (data.subsystems.length > COLOURS) {
      const rest = element("span", undefined, "chip");
      rest.append(element("i", undefined, "dot s0"), "all others");
      host.append(rest);
    }
  }

  function ramp() {
    const host = element("div", undefined, "ramp"), words = element("p");
    for (const word of ["only in base", "half", "same", "double", "only in new"]) words.append(element("span", word));
    host.append(element("i"), words);
    return host;
  }

  function entry(name, colour) {
    const chip = element("button", undefined, "chip");
    chip.type = "button";
    chip.dataset.subsystem = name;
    chip.append(element("i", undefined, `dot s${colour}`), name);
    return chip;
  }

  function mark(group, value) {
    for (const button of group.querySelectorAll("button")) {
      const chosen = button.dataset.value === value;
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
  }

  function choose(group, value) {
    mark(group, value);
    const isView = group.dataset.choice === "view";
    (isView ? show : paint)(value);
    perfduckView.set({ [group.dataset.choice]: value === (isView ? VIEW : COLOUR) ? "" : value }, false);
  }

  for (const group of document.querySelectorAll("[data-choice]")) {
    const buttons = [...group.querySelectorAll("button")];
    buttons.forEach((button, at) => {
      button.addEventListener("click", () => choose(group, button.dataset.value));
      button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        const next = buttons[(at + step + buttons.length) % buttons.length];
        choose(group, next.dataset.value);
        next.focus();
        event.preventDefault();
      });
    });
  }
  byId("search").addEventListener("input", (event) => search(event.target.value));
  byId("search").addEventListener("keydown", (event) => { if (event.key === "Enter") visit(); });
  byId("reset").addEventListener("click", () => zoom(0));
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("button[data-subsystem]");
    const claim = event.target.closest("button[data-node]");
    if (chip) {
      const query = `subsystem:${chip.dataset.subsystem}`;
      byId("search").value = state.query === query ? "" : query;
      search(byId("search").value);
    } else if (claim) {
      zoom(Number(claim.dataset.node));
    } else {
      return;
    }
    if (!event.target.closest("#flame")) byId("flame").scrollIntoView({ behavior: calm.matches ? "auto" : "smooth" });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input")) return;
    byId("search").focus();
    event.preventDefault();
  });

  // Paper has another width than the window: let the drawing scale.
  addEventListener("beforeprint", () => {
    for (const svg of document.querySelectorAll(".graph svg")) {
      svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
    }
  });
  addEventListener("afterprint", () => {
    for (const svg of document.querySelectorAll(".graph svg")) svg.removeAttribute("viewBox");
  });

  let room = 0;
  new ResizeObserver(() => {
    const now = byId("panels").clientWidth;
    if (now === room) return;
    room = now;
    for (const panel of panels) panel.zoomTo(state.zoom, false);
  }).observe(byId("panels"));

  perfduckView.onChange(restore);
  restore();
  legend();
})();
