// One function between its callers and its callees: two flame graphs, of the server's own arithmetic.
// Names come from recordings: they are only ever set as text.
"use strict";
(function () {
  const section = document.getElementById("sandwich");
  if (!section) return;
  const byId = (id) => document.getElementById(id);
  const NEW = 1, ROW = 18;
  let shown = "", asked = 0;

  function amount(value) {
    const size = Math.abs(value);
    if (value === 0) return "0";
    const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  // The nodes of a tree with the weights of all below them, base and new.
  function nodesOf(data) {
    const nodes = data.parent.map((parent, index) => {
      const frame = data.frames[data.frame[index]] || ["all", "", -1];
      return { parent, name: frame[0], dso: frame[1], subsystem: frame[2], weights: [data.base[index], data.new[index]], below: [] };
    });
    for (let index = nodes.length - 1; index > 0; index--) {
      const node = nodes[index], above = nodes[node.parent];
      above.below.unshift(node);
      node.weights.forEach((weight, side) => { above.weights[side] += weight; });
    }
    return nodes;
  }
  const size = (node) => Math.max(...node.weights);
  const tree = (node) => ({ n: node.name, v: size(node), node, c: node.below.map(tree) });

  function words(node, answer, compared) {
    const [base, fresh] = node.weights.map(amount);
    const of = `${(100 * size(node) / (Math.max(...answer.whole) || 1)).toFixed(1)} %`;
    return compared ? `${node.name}: ${base} → ${fresh} ${answer.unit} (${of})` : `${node.name}: ${fresh} ${answer.unit} (${of})`;
  }

  // Colours by growth where there are two sides, else by subsystem, as in the flame graph.
  const subsystems = JSON.parse(byId("flame-data").textContent).subsystems;
  function fill(node, data, compared) {
    const [base, fresh] = node.weights;
    const larger = Math.max(base, fresh);
    if (compared) {
      const part = larger ? (fresh - base) / larger : 0;
      return `color-mix(in oklab, var(--${part > 0 ? "grow" : "shrink"}) ${Math.round(100 * Math.abs(part))}%, var(--same))`;
    }
    const place = subsystems.indexOf(data.subsystems[node.subsystem]);
    return `var(--s${place >= 0 && place < 16 ? place + 1 : 0})`;
  }

  function draw(host, data, answer, compared, isDown) {
    host.replaceChildren();
    const root = nodesOf(data)[0].below[0];
    if (!root) return null;
    const said = (node) => words(node, answer, compared);
    const chart = flamegraph.default()
      .width(host.clientWidth || 600)
      .cellHeight(ROW)
      .inverted(isDown)
      .minFrameSize(0.8)
      .transitionDuration(0)
      .setColorMapper((d) => fill(d.data.node, data, compared))
      .setLabelHandler((d) => said(d.data.node))
      .setDetailsHandler(() => {})
      .onClick((d) => { if (d.data.n !== shown) open(d.data.n, true); else chart.resetZoom(); });
    d3.select(host).datum(tree(root)).call(chart);
    return root;
  }

  async function open(name, isStep) {
    shown = name;
    perfduckView.set({ function: name }, isStep);
    section.hidden = !name;
    if (!name) return;
    byId("sandwich-name").textContent = name;
    byId("sandwich-said").textContent = "Asking …";
    const turn = ++asked;
    let answer = { error: "the server does not answer" };
    try {
      const separator = section.dataset.ask.endsWith("?") ? "" : "&";
      const response = await fetch(`${section.dataset.ask}${separator}${new URLSearchParams({ function: name })}`);
      answer = await response.json();
    } catch { /* said below */ }
    if (turn !== asked) return;
    show(answer);
    if (isStep) section.scrollIntoView();
  }

  function show(answer) {
    for (const id of ["sandwich-callers", "sandwich-callees"]) byId(id).replaceChildren();
    byId("sandwich-middle").textContent = "";
    if (answer.error) { byId("sandwich-said").textContent = answer.error; return; }
    const compared = answer.whole[0] > 0;
    const root = draw(byId("sandwich-callers"), answer.callers, answer, compared, false);
    draw(byId("sandwich-callees"), answer.callees, answer, compared, true);
    byId("sandwich-said").textContent = root ? "" : "No sample here has it in its stack.";
    byId("sandwich-middle").textContent = root ? words(root, answer, compared) : "";
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-function]");
    if (button) open(button.dataset.function, true);
  });
  byId("sandwich-close").addEventListener("click", () => open("", true));
  const restore = () => { if (perfduckView.get("function") !== shown) open(perfduckView.get("function"), false); };
  perfduckView.onChange(restore);
  restore();
})();
