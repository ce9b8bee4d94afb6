// Samples over time, as FlameScope draws them: a column is a second (of long recordings several), a row
// a fiftieth of it, read upwards. A span of cells becomes the filters skip and until.
"use strict";
(function () {
  const canvas = document.getElementById("heat");
  if (!canvas) return;
  const { byId } = perfduckCommon;
  const { bucket_s: bucket, rows, cells, skip, until } = JSON.parse(byId("heat-data").textContent);
  const counts = new Map(cells);
  const most = Math.max(...counts.values()), least = Math.min(...counts.values());
  const columns = Math.floor(Math.max(...counts.keys()) / rows) + 1;
  const LEFT = 34, BOTTOM = 18, HIGH = 4;
  const seconds = (text) => {
    const found = /^([\d.e+-]+)\s*(ms|us|min|s)?$/.exec(text || "");
    return found ? Number(found[1]) * { ms: 1e-3, us: 1e-6, min: 60, s: 1 }[found[2] || "s"] : null;
  };
  const from = seconds(skip), to = seconds(until);
  byId("heat-column").textContent = rows * bucket === 1 ? "a second" : `${rows * bucket} s`;
  byId("heat-cell").textContent = `${Math.round(bucket * 1e6) / 1e3} ms`;
  let wide = 12, cursor = 0, anchor = null;
  const text = (at) => `${Number((at * bucket).toFixed(6))}s`;

  function draw() {
    const room = canvas.parentElement.clientWidth - LEFT;
    wide = Math.max(4, Math.min(40, Math.floor(room / columns)));
    const width = LEFT + columns * wide, height = rows * HIGH + BOTTOM, scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    pen.scale(scale, scale);
    pen.font = "11px system-ui, sans-serif";
    for (let at = 0; at < columns * rows; at++) {
      const hits = counts.get(at) || 0;
      pen.globalAlpha = 1;
      pen.fillStyle = colour("--sunk");
      pen.fillRect(...place(at), wide - 1, HIGH - 1);
      if (!hits) continue;
      pen.globalAlpha = 0.12 + 0.88 * ((hits - least) / (most - least || 1));
      pen.fillStyle = colour("--grow");
      pen.fillRect(...place(at), wide - 1, HIGH - 1);
    }
    pen.globalAlpha = 1;
    const [first, last] = chosen();
    pen.strokeStyle = colour("--hit");
    for (let at = first; at <= last; at++) pen.strokeRect(place(at)[0], place(at)[1], wide - 1, HIGH - 1);
    pen.fillStyle = colour("--soft");
    pen.textAlign = "right";
    for (const part of [0, 0.5, 1]) pen.fillText(`${part * rows * bucket}s`.replace(/^0s$/, "0"), LEFT - 5, rows * HIGH * (1 - part) + (part === 1 ? 9 : part === 0 ? 0 : 4));
    pen.textAlign = "left";
    const step = Math.max(1, Math.ceil(40 / wide));
    for (let column = 0; column < columns; column += step) pen.fillText(`${column * rows * bucket}`, LEFT + column * wide, rows * HIGH + 13);
  }
  const place = (at) => [LEFT + Math.floor(at / rows) * wide, (rows - 1 - (at % rows)) * HIGH];

  // The cells that are looked at, or are being chosen.
  function chosen() {
    if (anchor !== null) return [Math.min(anchor, cursor), Math.max(anchor, cursor)];
    if (document.activeElement === canvas) return [cursor, cursor];
    if (from === null && to === null) return [0, -1];
    return [Math.round((from || 0) / bucket), to === null ? columns * rows - 1 : Math.ceil(to / bucket - 1e-9) - 1];
  }
  function say() {
    const [first, last] = chosen();
    byId("heat-said").textContent = last < first ? "" : `${text(first)} to ${text(last + 1)}: ${[...counts].reduce((sum, [at, hits]) => sum + (at >= first && at <= last ? hits : 0), 0).toLocaleString("en-US")} samples`;
    draw();
  }
  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - LEFT) / wide);
    const row = rows - 1 - Math.floor((event.clientY - box.top) / HIGH);
    return Math.max(0, Math.min(columns - 1, column)) * rows + Math.max(0, Math.min(rows - 1, row));
  }
  function go() {
    const [first, last] = chosen();
    const query = new URLSearchParams(canvas.closest(".heat").dataset.query);
    if (first > 0) query.set("skip", text(first));
    query.set("until", text(last + 1));
    location.href = `${location.pathname}?${query}${location.hash}`;
  }

  let pressed = null;
  canvas.addEventListener("pointerdown", (event) => {
    cursor = pressed = cellAt(event);
    if (anchor === null) anchor = cursor;
    else { go(); return; }
    canvas.setPointerCapture(event.pointerId);
    say();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (anchor === null) return;
    cursor = cellAt(event);
    say();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (anchor === null || pressed === null) return;
    cursor = cellAt(event);
    if (cursor !== pressed) go();
    pressed = null;
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1, ArrowRight: rows, ArrowLeft: -rows }[event.key];
    if (step) cursor = Math.max(0, Math.min(columns * rows - 1, cursor + step));
    else if (event.key === "Enter" || event.key === " ") {
      if (anchor === null) anchor = cursor;
      else { go(); return; }
    } else if (event.key === "Escape") anchor = null;
    else return;
    event.preventDefault();
    say();
  });
  canvas.addEventListener("focus", say);
  canvas.addEventListener("blur", say);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(draw).observe(canvas.parentElement);
  canvas.setAttribute("aria-label", `Samples over ${columns} columns of time, up to ${most} in a cell`);
  say();
})();
