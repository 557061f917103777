// What the pages do beyond links and forms. Everything here is a convenience: each page works without it.
(() => {
  "use strict";

  // ---- times: relative in the text, exact in the viewer's zone on hover --------------------------
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

  const relative = (then, now) => {
    const seconds = Math.round((now - then) / 1000);
    const ahead = seconds < 0;
    const size = Math.abs(seconds);
    if (size < 2) return "now";
    const text =
      size < 60 ? `${size} s` : size < 3600 ? `${Math.floor(size / 60)} min` : size < 86400 ? `${Math.floor(size / 3600)} h` : size < 2592000 ? `${Math.floor(size / 86400)} d` : "";
    if (!text) return day.format(then);
    return ahead ? `in ${text}` : `${text} ago`;
  };

  const tellTimes = (within) => {
    const now = Date.now();
    for (const time of within.querySelectorAll("time[datetime]")) {
      const then = new Date(time.dateTime);
      if (isNaN(then)) continue;
      const text = time.hasAttribute("data-exact") ? exact.format(then) : relative(then, now);
      if (time.textContent !== text) time.textContent = text;
      if (!time.dataset.told) {
        time.title = exact.format(then);
        time.dataset.told = "1";
      }
    }
  };

  // ---- polling: the element asks again every `data-poll` seconds, only while somebody looks -------
  const busy = (element) => {
    const active = document.activeElement;
    const typing = active && element.contains(active) && active.matches("input, select, textarea");
    const selection = document.getSelection();
    const selecting = selection && !selection.isCollapsed && element.contains(selection.anchorNode);
    return typing || selecting || document.querySelector("dialog[open]") || element.querySelector("details.menu[open]");
  };

  const poll = () => {
    if (document.visibilityState !== "visible" || !window.htmx) return;
    for (const element of document.querySelectorAll("[data-poll]")) {
      const due = Number(element.dataset.pollDue || 0);
      const now = Date.now();
      // The first time soon: what was just done is on its way and shows up at once.
      if (!due) element.dataset.pollDue = now + 1000;
      else if (now >= due && !busy(element)) {
        element.dataset.pollDue = now + element.dataset.poll * 1000;
        window.htmx.trigger(element, "poll");
      }
    }
  };

  // Relative times and form tokens differ at every answer and mean nothing: without them, equal is equal.
  const essence = (html) => html.replace(/(<time\b[^>]*>)[^<]*/g, "$1").replace(/(name="csrfmiddlewaretoken" value=")[^"]*/g, "$1");
  const last = new WeakMap();
  const kept = new WeakMap();

  const keep = (target) => ({
    details: [...target.querySelectorAll("details[id]")].map((found) => [found.id, found.open]),
    scrolls: [...target.querySelectorAll("[id]")].filter((found) => found.scrollTop || found.scrollLeft).map((found) => [found.id, found.scrollTop, found.scrollLeft]),
    focus: target.contains(document.activeElement) ? document.activeElement.id : "",
    page: window.scrollY,
  });

  const restore = (target, before) => {
    for (const [id, open] of before.details) {
      const found = document.getElementById(id);
      if (found) found.open = open;
    }
    for (const [id, top, left] of before.scrolls) {
      const found = document.getElementById(id);
      if (found) found.scrollTo({ top, left, behavior: "instant" });
    }
    if (before.focus) document.getElementById(before.focus)?.focus({ preventScroll: true });
    if (window.scrollY !== before.page) window.scrollTo({ top: before.page, behavior: "instant" });
  };

  document.addEventListener("htmx:beforeSwap", (event) => {
    const target = event.detail.target;
    if (!target.matches("[data-poll]") || !event.detail.shouldSwap) return;
    const fresh = essence(event.detail.serverResponse);
    if (last.get(target) === fresh) event.detail.shouldSwap = false;
    else kept.set(target, keep(target));
    last.set(target, fresh);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const before = kept.get(event.detail.target);
    if (before) restore(event.detail.target, before);
    tellTimes(document);
  });
  const offline = (is) => document.body.classList.toggle("is-offline", is);
  document.addEventListener("htmx:sendError", () => offline(true));
  document.addEventListener("htmx:responseError", () => offline(true));
  document.addEventListener("htmx:afterRequest", (event) => event.detail.successful && offline(false));

  // ---- copying ---------------------------------------------------------------------------------
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hide";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };

  // ---- asking before something that cannot be taken back -------------------------------------------
  // The link leads to a page that asks; with JavaScript the same question comes as a dialog.
  const ask = (link) => {
    const dialog = document.getElementById("confirm");
    dialog.querySelector("form").action = link.href;
    dialog.querySelector("h2").textContent = link.dataset.confirm;
    dialog.querySelector("p").textContent = link.dataset.confirmDetail || "";
    dialog.querySelector("p").hidden = !link.dataset.confirmDetail;
    const yes = dialog.querySelector("button[type=submit]");
    yes.textContent = link.dataset.confirmYes || link.textContent.trim();
    // Red is for what cannot be taken back.
    yes.className = link.matches(".button--danger") ? "button button--danger" : "button button--first";
    dialog.showModal();
  };

  document.addEventListener("click", (event) => {
    const target = event.target;
    const button = target.closest("[data-copy], [data-copy-from]");
    if (button) {
      const text = button.dataset.copy ?? document.querySelector(button.dataset.copyFrom).textContent;
      copy(text).then(() => {
        button.classList.add("is-done");
        setTimeout(() => button.classList.remove("is-done"), 1600);
      });
      return;
    }
    const link = target.closest("a[data-confirm]");
    if (link) {
      event.preventDefault();
      ask(link);
      return;
    }
    if (target.closest("[data-close]")) {
      target.closest("dialog").close();
      return;
    }
    for (const menu of document.querySelectorAll("details.menu[open], details.drawer[open]")) {
      if (!menu.contains(target)) menu.open = false;
    }
    const row = target.closest("tr[data-href]");
    if (row && !target.closest("a, button, input, label, summary, select") && document.getSelection().isCollapsed) location.assign(row.dataset.href);
  });

  // ---- one box that ticks the others of its table --------------------------------------------------
  document.addEventListener("change", (event) => {
    const table = event.target.closest("table");
    const all = table?.querySelector("[data-tick-all]");
    if (!all) return;
    const boxes = [...table.querySelectorAll(`input[name="${all.dataset.tickAll}"]:not(:disabled)`)];
    if (event.target === all) for (const box of boxes) box.checked = all.checked;
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  });

  // ---- forms and keys ----------------------------------------------------------------------------
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-autosubmit]");
    if (form) form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "get") for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
    if (form.method === "post" && form.dataset.sent) event.preventDefault();
    form.dataset.sent = form.method === "post" ? "1" : "";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) {
      delete form.dataset.sent;
      if (form.method === "get") for (const field of form.elements) field.disabled = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open], details.drawer[open]")) menu.open = false;
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  });

  const start = () => {
    tellTimes(document);
    // In a low window the page's own entry may be below the edge of the navigation.
    document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest" });
    setInterval(() => tellTimes(document), 5000);
    setInterval(poll, 500);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
