// Choosing another plug-in redraws its fields, and a button with `data-redraws` redraws a list of rows. The whole form is sent with
// `_redraw`, so that what was typed comes back; nothing is saved. Without this script the same buttons send the page.
(() => {
  "use strict";

  const make = (within) => {
    // With the script this button has no use,
    for (const button of within.querySelectorAll(".parameters__redraw")) button.remove();
    // and Enter in a field would press these.
    for (const button of within.querySelectorAll("button[data-redraws]")) button.type = "button";
  };

  const redraw = async (form, id, value) => {
    const before = document.getElementById(id);
    if (!before) return;
    const body = new FormData(form);
    body.append("_redraw", value);
    const focus = document.activeElement?.id;
    before.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.getAttribute("action") || window.location.href, { method: "POST", body, credentials: "same-origin" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
      if (!fresh) return;
      make(fresh);
      before.replaceWith(document.adoptNode(fresh));
      const next = fresh.querySelector("[data-focus-within] select, [data-focus-within] input") || (focus && document.getElementById(focus));
      if (next && !document.activeElement?.closest("form")) next.focus();
    } finally {
      before.removeAttribute("aria-busy");
    }
  };

  document.addEventListener("DOMContentLoaded", () => make(document));
  document.addEventListener("change", (event) => {
    const chooser = event.target.closest("[data-parameters]");
    if (chooser && chooser.form) redraw(chooser.form, chooser.dataset.parameters, chooser.dataset.parameters);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-redraws]");
    if (!button || !button.form) return;
    event.preventDefault();
    redraw(button.form, button.dataset.redraws, button.value);
  });
})();
