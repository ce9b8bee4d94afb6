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

  // A form without its empty fields, so that an address has what was typed and nothing else.
  for (const form of document.querySelectorAll("form[method=get]")) {
    form.addEventListener("submit", () => {
      for (const field of form.elements) {
        const isDefault = field.tagName === "SELECT" && field.options[field.selectedIndex].defaultSelected === false && field.value === "";
        if (field.name && (field.value === "" || isDefault)) field.disabled = true;
      }
    });
  }
  // Back to the page: its fields can be typed into again.
  addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form[method=get] :disabled")) field.disabled = false;
  });

  // Tables that other tables' scripts make of functions: their names lead to callers and callees.
  const sandwich = document.getElementById("sandwich");
  if (!sandwich) return;
  for (const cell of document.querySelectorAll("#functions tbody td:first-child code, .claim summary code")) {
    if (cell.closest("summary")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.dataset.function = cell.textContent;
    cell.replaceWith(button);
    button.append(cell);
  }
})();
