// The SQL page: what is typed is asked of POST /api/v1/sql, and shown as rows and a simple chart.
"use strict";
(function () {
  const { byId, element, lineOf } = perfduckCommon;
  const MOST_SHOWN = 1000, MOST_BARS = 30, NUMBER = /^(U?Int\d+|Float\d+|Decimal.*)$/;
  const editor = byId("query");
  let running = null, answer = null;

  function fail(text) {
    byId("sql-error").textContent = text;
    byId("sql-error").hidden = !text;
  }
  const shown = (value) => value === null ? "" : typeof value === "object" ? JSON.stringify(value)
    : typeof value === "number" && !Number.isInteger(value) ? value.toLocaleString("en-US", { maximumFractionDigits: 4 })
    : typeof value === "number" ? value.toLocaleString("en-US") : String(value);

  // ---- ask
  async function run() {
    const query = editor.value.trim();
    if (!query) return;
    perfduckView.set({ query }, true);
    if (running) running.abort();
    const own = running = new AbortController();
    byId("stop").disabled = false;
    fail("");
    byId("sql-said").textContent = "Asking …";
    const begun = performance.now();
    try {
      const response = await ask(query, "json", own.signal);
      const found = await response.json();
      if (!response.ok) throw new Error(found.error || response.statusText);
      answer = found;
      byId("sql-said").textContent = `${found.rows.length.toLocaleString("en-US")} ${found.rows.length === 1 ? "row" : "rows"} in ${((performance.now() - begun) / 1000).toFixed(2)} s`;
      show();
    } catch (error) {
      if (own !== running) return; // the page shows the next query
      byId("sql-said").textContent = "";
      byId("answer").hidden = true;
      fail(error.name === "AbortError" ? "Stopped." : error.message);
    } finally {
      if (own === running) byId("stop").disabled = true;
    }
  }
  const ask = (query, format, signal) => fetch(`/api/v1/sql?format=${format}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ query }), signal,
  });

  // ---- show
  function show() {
    const { columns, rows } = answer;
    const table = byId("rows"), numbers = columns.map((column) => NUMBER.test(column.type));
    const head = table.tHead, body = table.tBodies[0];
    head.replaceChildren();
    body.replaceChildren();
    const line = head.insertRow();
    columns.forEach((column, place) => {
      const cell = element("th", column.name, numbers[place] ? "number" : "");
      cell.scope = "col";
      cell.title = column.type;
      line.append(cell);
    });
    for (const row of rows.slice(0, MOST_SHOWN)) {
      const made = body.insertRow();
      columns.forEach((column, place) => {
        const cell = element("td", undefined, numbers[place] ? "number" : "");
        cell.append(element("span", shown(row[column.name])));
        made.append(cell);
      });
    }
    byId("rows-hint").textContent = rows.length > MOST_SHOWN ? `The first ${MOST_SHOWN.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} rows; csv has all.` : "";
    byId("answer").hidden = false;
    chart(columns, rows, numbers);
  }

  // Bars of the first number by the texts; a line where there are only numbers.
  function chart(columns, rows, numbers) {
    const host = byId("chart");
    host.replaceChildren();
    const value = columns.findIndex((column, place) => numbers[place] && (place > 0 || columns.length === 1));
    const names = columns.filter((column, place) => !numbers[place]);
    const named = (row) => names.length ? names.map((column) => shown(row[column.name])).join(" ") : row[columns[0].name];
    host.hidden = value < 0 || rows.length < 2;
    if (host.hidden) return;
    const picked = rows.map((row) => [named(row), row[columns[value].name]]).filter(([, size]) => typeof size === "number");
    host.hidden = picked.length < 2;
    if (host.hidden) return;
    wide = Math.max(280, Math.min(host.clientWidth || 760, 900));
    const title = columns[value].name, isLine = names.length === 0, charted = isLine ? picked : picked.slice(0, MOST_BARS);
    const part = charted.length < rows.length ? `, ${charted.length.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} rows` : "";
    host.append(element("p", `${title}${isLine ? ` by ${columns[0].name}` : ""}${part}`, "hint"));
    host.append(isLine ? lines(charted, title) : bars(charted));
  }
  let wide = 760; // of the chart, px
  const NS = "http://www.w3.org/2000/svg";
  function drawn(tag, attributes, text) {
    const made = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  const cut = (text) => text.length > 32 ? `${text.slice(0, 31)}…` : text;
  function widest(texts) { // px at the 12px of .chart
    const pen = element("canvas").getContext("2d");
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return Math.max(...texts.map((text) => pen.measureText(text).width));
  }
  function bars(picked) {
    const high = 22;
    const left = 12 + widest(picked.map(([name]) => cut(shown(name)))), right = 12 + widest(picked.map(([, size]) => shown(size)));
    const most = Math.max(...picked.map(([, size]) => Math.abs(size))) || 1;
    const svg = drawn("svg", { viewBox: `0 0 ${wide} ${picked.length * high}`, role: "img", "aria-label": "The first numbers as bars" });
    picked.forEach(([name, size], place) => {
      const at = place * high;
      svg.append(drawn("text", { x: left - 8, y: at + 15, "text-anchor": "end" }, cut(shown(name))));
      const width = ((wide - left - right) * Math.abs(size)) / most;
      svg.append(drawn("rect", { x: left, y: at + 3, width, height: high - 7, rx: 3, class: "bar-part" }));
      svg.append(drawn("text", { x: left + width + 6, y: at + 15, class: "soft" }, shown(size)));
    });
    return svg;
  }
  function lines(picked, title) {
    const high = 220, left = 70, bottom = 24;
    const sizes = picked.map(([, size]) => size), low = Math.min(0, ...sizes), most = Math.max(...sizes, low + 1e-9);
    const x = (place) => left + ((wide - left - 10) * place) / (picked.length - 1);
    const y = (size) => 10 + (high - bottom - 10) * (1 - (size - low) / (most - low));
    const svg = drawn("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `${title} by row` });
    svg.append(drawn("path", { d: picked.map(([, size], place) => `${place ? "L" : "M"}${x(place)} ${y(size)}`).join("") }));
    for (const size of [low, most]) svg.append(drawn("text", { x: left - 8, y: y(size) + 4, "text-anchor": "end", class: "soft" }, shown(size)));
    svg.append(drawn("text", { x: left, y: high - 6, class: "soft" }, shown(picked[0][0])));
    svg.append(drawn("text", { x: wide - 10, y: high - 6, "text-anchor": "end", class: "soft" }, shown(picked[picked.length - 1][0])));
    return svg;
  }

  // ---- csv, with all rows
  byId("as-csv").addEventListener("click", async () => {
    const response = await ask(editor.value.trim(), "csv");
    if (!response.ok) { fail(await lineOf(response)); return; }
    const link = element("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = "perfduck.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  });

  // ---- saved queries
  async function keep(name, query) {
    const response = await fetch(`/api/v1/queries/${encodeURIComponent(name)}`, {
      method: query === null ? "DELETE" : "PUT", headers: { "Content-Type": "application/json" },
      body: query === null ? undefined : JSON.stringify({ query }),
    });
    if (!response.ok) { fail(await lineOf(response)); return false; }
    return true;
  }
  function listed(name, query) {
    for (const old of document.querySelectorAll("[data-saved]")) if (old.dataset.saved === name) old.closest("li").remove();
    if (query !== null) {
      const line = element("li"), use = element("button", name, "link"), drop = element("button", "×", "plain small");
      use.type = drop.type = "button";
      use.dataset.query = query;
      use.dataset.saved = drop.dataset.forget = name;
      drop.setAttribute("aria-label", `Delete ${name}`);
      line.append(use, " ", drop);
      byId("saved").append(line);
    }
    byId("none-saved").hidden = byId("saved").children.length > 0;
  }
  byId("save").addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = byId("save-name").value.trim();
    if (name && editor.value.trim() && await keep(name, editor.value)) listed(name, editor.value);
  });

  // ---- the page's controls
  document.addEventListener("click", async (event) => {
    const { query, insert, forget } = (event.target.closest("button") || { dataset: {} }).dataset;
    if (query !== undefined) { editor.value = query; run(); }
    if (insert !== undefined) { editor.setRangeText(insert, editor.selectionStart, editor.selectionEnd, "end"); editor.focus(); }
    if (forget !== undefined && confirm(`Delete the query ${forget}?`) && await keep(forget, null)) listed(forget, null);
  });
  byId("run").addEventListener("click", run);
  byId("stop").addEventListener("click", () => running && running.abort());
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
  });
  const restore = () => {
    const query = perfduckView.get("query");
    if (query && query !== editor.value.trim()) { editor.value = query; run(); }
  };
  perfduckView.onChange(restore);
  restore();
})();
