// Push files, choose the sides of a diff, edit and delete.
"use strict";
(function () {
  const { byId, element, lineOf } = perfduckCommon;

  // Texts of the form key=value, as [key, value].
  const pairs = (texts) => texts.filter((text) => text.trim()).map((text) => {
    const [key, ...value] = text.split("=");
    if (!key.trim() || !value.length) throw new Error(`${text.trim()}: expected key=value`);
    return [key.trim(), value.join("=").trim()];
  });

  // ---- push
  const drop = byId("drop");
  function typed() {
    const query = new URLSearchParams();
    for (const [key, value] of pairs(byId("push-labels").value.split(/\s+/))) query.append(`label.${key}`, value);
    for (const name of ["work", "unit"]) if (byId(`push-${name}`).value) query.set(name, byId(`push-${name}`).value);
    return query;
  }
  // Files beside the recording make the body one of several parts.
  function sent(file) {
    const beside = ["kallsyms", "work"].map((part) => [part, byId(`push-${part}-file`).files[0]]).filter(([, each]) => each);
    if (!beside.length) return fetch(`/api/v1/recordings/${encodeURIComponent(file.name)}?${typed()}`, { method: "PUT", body: file });
    const body = new FormData();
    body.append("recording", file);
    for (const [part, each] of beside) body.append(part, each);
    return fetch(`/api/v1/recordings?${typed()}`, { method: "POST", body });
  }
  const ofFile = (file, line) => (line.startsWith(`${file.name}:`) ? line : `${file.name}: ${line}`);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  async function push(file) {
    const line = element("li", `${file.name}: sending ${(file.size / 1e6).toFixed(1)} MB …`);
    byId("pushed").append(line);
    try {
      let response = await sent(file);
      while (response.status === 202) {
        const job = (await response.json()).job;
        line.textContent = `${file.name}: received, being read …`;
        await wait(500);
        response = await fetch(`/api/v1/jobs/${job}`);
      }
      if (!response.ok) return end(line, "bad", ofFile(file, await lineOf(response)));
      const answer = await response.json();
      if (answer.error) return end(line, "bad", ofFile(file, answer.error));
      end(line, "good", (answer.result || `${file.name}: stored`).trim());
      for (const note of answer.notes || []) line.append(element("div", note, "soft"));
      if (answer.profile) {
        const link = element("a", "look at it");
        link.href = `/profiles/${answer.profile.id}`;
        line.append(" ", link);
      }
      return true;
    } catch (error) {
      end(line, "bad", `${file.name}: not sent: ${error.message}`);
    }
    return false;
  }
  function end(line, kind, text) {
    line.className = kind;
    line.textContent = text;
  }
  async function pushAll(files) {
    let stored = 0;
    for (const file of files) stored += (await push(file)) ? 1 : 0;
    if (!stored) return;
    const again = element("li");
    const link = element("a", "Show it in the list");
    link.href = location.href;
    again.append(link);
    byId("pushed").append(again);
  }
  if (drop) {
    byId("files").addEventListener("change", (event) => pushAll([...event.target.files]));
    for (const kind of ["dragenter", "dragover"]) {
      document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
    }
    document.addEventListener("dragleave", () => drop.classList.remove("over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      pushAll([...event.dataTransfer.files]);
    });
  }

  // ---- the sides of a diff: a recording is on one of them
  const boxes = [...document.querySelectorAll("input[data-side]")];
  function pick(event) {
    for (const other of event.target.closest("tr").querySelectorAll("input[data-side]")) {
      if (other !== event.target) other.checked = false;
    }
    for (const side of ["base", "new"]) {
      const chosen = boxes.filter((box) => box.dataset.side === side && box.checked);
      byId(`pick-${side}`).value = chosen.map((box) => box.dataset.selector).join("+");
    }
  }
  for (const box of boxes) {
    box.checked = false;
    box.addEventListener("change", pick);
  }

  // ---- edit
  const dialog = byId("edit");
  if (!dialog) return;
  const form = byId("edit-form");
  let row = null;
  function fail(text) {
    byId("edit-error").textContent = text;
    byId("edit-error").hidden = !text;
  }
  function open(of) {
    row = of;
    fail("");
    byId("edit-name").textContent = row.dataset.name;
    form.elements.name.value = row.dataset.name;
    form.elements.labels.value = Object.entries(JSON.parse(row.dataset.labels)).map(([key, value]) => `${key}=${value}`).join("\n");
    form.elements.work.value = row.dataset.work;
    form.elements.unit.value = row.dataset.unit;
    dialog.showModal();
  }
  function wanted() {
    const before = JSON.parse(row.dataset.labels), said = {};
    const labels = Object.fromEntries(pairs(form.elements.labels.value.split("\n")));
    const changed = Object.entries(labels).filter(([key, value]) => before[key] !== value);
    const gone = Object.keys(before).filter((key) => !(key in labels));
    if (changed.length) said.labels = Object.fromEntries(changed);
    if (gone.length) said.unlabel = gone;
    if (form.elements.name.value !== row.dataset.name) said.name = form.elements.name.value;
    const { work, unit } = form.elements;
    for (const field of [work, unit]) {
      if (row.dataset[field.name] && !field.value.trim()) throw new Error(`${field.name}: it can be changed, not removed`);
    }
    if (work.value !== row.dataset.work || unit.value !== row.dataset.unit) {
      if (work.value && !(Number(work.value) > 0)) throw new Error(`work: expected a number above 0, got ${work.value}`);
      if (work.value) said.work = Number(work.value);
      if (unit.value) said.unit = unit.value;
    }
    return said;
  }
  async function send(method, body) {
    const headers = body ? { "Content-Type": "application/json" } : {};
    const response = await fetch(`/api/v1/profiles/${row.dataset.id}`, { method, headers, body: body && JSON.stringify(body) });
    if (response.ok) location.reload();
    else fail(await lineOf(response));
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-edit]");
    if (button) open(button.closest("tr"));
  });
  byId("edit-save").addEventListener("click", () => {
    try {
      const said = wanted();
      if (Object.keys(said).length) send("PATCH", said);
      else dialog.close();
    } catch (error) {
      fail(error.message);
    }
  });
  byId("edit-delete").addEventListener("click", () => {
    if (confirm(`Delete ${row.dataset.name}? It cannot be undone.`)) send("DELETE");
  });
})();
