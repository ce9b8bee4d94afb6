// One function between its callers and its callees: two flame graphs, of the server's own arithmetic.
// Names come from recordings: they are only ever set as text.
"use strict";
(function () {
  const section = document.getElementById("sandwich");
  if (!section) return;
  const { byId, amount, nodesOf, growth } = perfduckCommon;
  const ROW = 18;
  let shown = "", asked = 0;

  const size = ({ weights: [base, fresh] }) => Math.max(base, fresh);
  const tree = (node) => ({ n: node.name, v: size(node), node, c: node.below.map(tree) });

  function words(node, answer, compared) {
    const [base, fresh] = node.weights.map((weight) => amount(weight));
    const of = `${(100 * size(node) / (Math.max(...answer.whole) || 1)).toFixed(1)} %`;
    return compared ? `${node.name}: ${base} → ${fresh} ${answer.unit} (${of})` : `${node.name}: ${fresh} ${answer.unit} (${of})`;
  }

  // Colours by growth where there are two sides, else by subsystem, as in the flame graph.
  const subsystems = JSON.parse(byId("flame-data").textContent).subsystems;
  function fill(node, data, compared) {
    if (compared) return growth(node.weights);
    const place = subsystems.indexOf(data.subsystems[node.subsystem]);
    return `var(--s${place >= 0 && place < 16 ? place + 1 : 0})`;
  }

  function draw(host, data, answer, compared, isDown) {
    host.replaceChildren();
    const nodes = nodesOf(data), root = nodes[0].below[0];
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
    steer(host, nodes, root, isDown, said);
    return root;
  }

  // Arrow keys move between frames as they are drawn, Enter puts a function into the middle.
  function steer(host, nodes, root, isDown, said) {
    const [deeper, back] = isDown ? ["ArrowDown", "ArrowUp"] : ["ArrowUp", "ArrowDown"];
    let cursor = root;
    host.tabIndex = 0;
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", `${isDown ? "Callees" : "Callers"}. Arrow keys move between frames, Enter chooses.`);
    host.onkeydown = (event) => {
      const row = cursor === root ? [root] : nodes[cursor.parent].below;
      const beside = (step) => row[row.indexOf(cursor) + step] || cursor;
      if (event.key === deeper) cursor = cursor.below[0] || cursor;
      else if (event.key === back) cursor = cursor === root ? root : nodes[cursor.parent];
      else if (event.key === "ArrowRight") cursor = beside(1);
      else if (event.key === "ArrowLeft") cursor = beside(-1);
      else if (event.key === "Enter") { if (cursor.name !== shown) open(cursor.name, true); }
      else return;
      event.preventDefault();
      byId("sandwich-said").textContent = said(cursor);
      d3.select(host).selectAll("g.frame").classed("cursor", (d) => d.data.node === cursor);
    };
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
