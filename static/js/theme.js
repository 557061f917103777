// Light, dark or as the machine has it. Loaded before the first paint by the dashboard and the admin; the choice is a cookie,
// so that the server draws the right one from the start and the switch works without JavaScript too.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const chosen = () => (document.cookie.match(/(?:^|; )theme=(light|dark)/) || [])[1] || "auto";
  const show = (theme) => {
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
  };
  show(chosen());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-toggle]");
    if (!button) return;
    event.preventDefault();
    const next = { auto: "light", light: "dark", dark: "auto" }[chosen()];
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax` + (location.protocol === "https:" ? "; secure" : "");
    show(next);
    button.setAttribute("aria-label", `Colours: ${next}. Change`);
    button.title = `Colours: ${next}`;
  });
})();
