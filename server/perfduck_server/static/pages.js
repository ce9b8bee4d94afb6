// What every page of the server needs.
"use strict";
(function () {
  // Where a bar is: the policy of the server allows no style within a page.
  for (const element of document.querySelectorAll("[data-place]")) {
    for (const declaration of element.dataset.place.split(";")) {
      const [name, value] = declaration.split(":");
      if (name === "left" || name === "width") element.style[name] = value;
    }
  }

  // A form without its empty fields and defaults, so that an address has what was typed and nothing else.
  for (const form of document.querySelectorAll("form[method=get]")) {
    form.addEventListener("submit", () => {
      for (const field of form.elements) {
        if (field.name && (field.value === "" || field.value === field.dataset.default)) field.disabled = true;
      }
    });
  }
  // Back to the page: its fields can be typed into again.
  addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form[method=get] :disabled")) field.disabled = false;
  });

  // Names in the table of functions lead to callers and callees.
  if (!document.getElementById("sandwich")) return;
  for (const cell of document.querySelectorAll("#functions tbody td:first-child code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.dataset.function = cell.textContent;
    cell.replaceWith(button);
    button.append(cell);
  }
})();
