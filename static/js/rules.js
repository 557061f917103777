// Help while a condition is typed: a click writes a name into it, and what it comes to is asked for as one types.
(() => {
  "use strict";

  const waiting = new WeakMap();

  const check = async (area) => {
    const said = document.getElementById(area.dataset.said);
    if (!said) return;
    const text = area.value;
    if (!text.trim()) {
      said.replaceChildren();
      return;
    }
    const answer = await fetch(`${area.dataset.check}?${new URLSearchParams({ text })}`, { credentials: "same-origin", headers: { "HX-Request": "true" } });
    if (!answer.ok || area.value !== text) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    said.replaceChildren(...fresh.body.childNodes);
    area.setAttribute("aria-invalid", said.querySelector(".errors") ? "true" : "false");
  };

  const soon = (area, wait) => {
    clearTimeout(waiting.get(area));
    waiting.set(area, setTimeout(() => check(area), wait));
  };

  const insert = (area, name) => {
    const start = area.selectionStart ?? area.value.length;
    const before = area.value.slice(0, start);
    const after = area.value.slice(area.selectionEnd ?? start);
    const written = `${before && !/[\s(]$/.test(before) ? " " : ""}${name}${/^[\s)]/.test(after) ? "" : " "}`;
    area.value = before + written + after;
    area.focus();
    area.setSelectionRange(start + written.length, start + written.length);
    soon(area, 0);
  };

  document.addEventListener("input", (event) => {
    if (event.target.matches("textarea[data-check]")) soon(event.target, 500);
    if (event.target.matches("[data-names-of]")) {
      const asked = event.target.value.trim().toLowerCase();
      for (const row of document.querySelectorAll(`#${event.target.dataset.namesOf} [data-name]`)) row.hidden = !row.dataset.name.toLowerCase().includes(asked);
    }
  });
  document.addEventListener("change", (event) => event.target.matches("textarea[data-check]") && soon(event.target, 0));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (button) insert(document.getElementById(button.dataset.insert), button.value);
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const area of document.querySelectorAll("textarea[data-check]")) if (area.value.trim()) soon(area, 0);
  });
})();
