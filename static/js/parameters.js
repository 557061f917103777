// Choosing another plug-in redraws its fields. The whole form is sent with `_redraw`, so that what was typed comes back;
// nothing is saved. Without this script a button does the same.
(() => {
  "use strict";

  // With the script the button has no use, and Enter in a field would press it.
  const withoutButton = (within) => {
    for (const button of within.querySelectorAll(".parameters__redraw")) button.remove();
  };

  const redraw = async (chooser) => {
    const id = chooser.dataset.parameters;
    const before = document.getElementById(id);
    if (!before) return;
    const body = new FormData(chooser.form);
    body.append("_redraw", id);
    before.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(chooser.form.getAttribute("action") || window.location.href, { method: "POST", body, credentials: "same-origin" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
      if (!fresh) return;
      withoutButton(fresh);
      before.replaceWith(document.adoptNode(fresh));
    } finally {
      before.removeAttribute("aria-busy");
    }
  };

  document.addEventListener("DOMContentLoaded", () => withoutButton(document));
  document.addEventListener("change", (event) => {
    const chooser = event.target.closest("[data-parameters]");
    if (chooser && chooser.form) redraw(chooser);
  });
})();
