// Tables that sort, fold their tail and filter. Without scripts they are whole and in order.
"use strict";
(function () {
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent;
  };

  function compare(kind, a, b) {
    if (kind === "text") return a.localeCompare(b, "en");
    // what has no number stands last, whichever way
    if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
    return Number(a) - Number(b);
  }

  function sort(table, heading) {
    const column = heading.cellIndex, kind = heading.dataset.sort;
    const first = kind === "text" ? "ascending" : "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    const way = heading.getAttribute("aria-sort") === first ? other : first;
    const sign = way === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((x, y) => {
      const a = valueOf(x, column), b = valueOf(y, column);
      const missing = kind !== "text" && (a === "" || b === "");
      return (missing ? 1 : sign) * compare(kind, a, b);
    });
    for (const th of table.tHead.rows[0].cells) th.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", way);
    table.tBodies[0].append(...rows);
    fold(table);
  }

  function makeSortable(table) {
    for (const heading of table.querySelectorAll("th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, heading));
    }
  }

  // Rows after the first few, and those that the filter does not want, are hidden.
  function fold(table) {
    const first = Number(table.dataset.first), open = table.dataset.open === "yes";
    const wanted = (table.dataset.filter || "").toLowerCase();
    let seen = 0;
    for (const row of table.tBodies[0].rows) {
      const fits = !wanted || row.textContent.toLowerCase().includes(wanted);
      const beyond = fits && !wanted && !open && seen >= first;
      row.hidden = !fits;
      row.classList.toggle("beyond", beyond);
      row.style.display = beyond ? "none" : "";
      seen += fits ? 1 : 0;
    }
  }

  function makeFoldable(table) {
    const size = table.tBodies[0].rows.length;
    if (size <= Number(table.dataset.first)) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain all";
    const say = () => {
      button.textContent = table.dataset.open === "yes" ? "Show fewer" : `Show all ${size}`;
    };
    button.addEventListener("click", () => {
      table.dataset.open = table.dataset.open === "yes" ? "no" : "yes";
      say();
      fold(table);
    });
    say();
    table.parentElement.after(button);
    fold(table);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    makeSortable(table);
    makeFoldable(table);
  }
  for (const input of document.querySelectorAll("input[data-filter]")) {
    const table = document.getElementById(input.dataset.filter);
    input.addEventListener("input", () => {
      table.dataset.filter = input.value.trim();
      fold(table);
    });
  }
})();
