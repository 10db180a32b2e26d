/* What the pages do beyond HTML and htmx. No framework, no inline handlers, nothing evaluated. */
(() => {
  "use strict";
  const root = document.documentElement;
  const live = document.getElementById("pw-live");
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  /** Say something to screen readers without moving focus. */
  const announce = (words) => { if (live && words) { live.textContent = ""; live.textContent = words; } };

  /* Clicks, delegated: what htmx brings in later works too. */
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    if (target.closest("[data-pw-theme]")) {
      const theme = root.dataset.bsTheme === "dark" ? "light" : "dark";
      root.dataset.bsTheme = theme;
      try { localStorage.setItem("pw-theme", theme); } catch { /* kept for this page only */ }
      announce(theme === "dark" ? "Dark" : "Light");
    }
    if (target.closest("[data-pw-menu]")) setMenu(!root.classList.contains("pw-menu-open"));
    else if (root.classList.contains("pw-menu-open") && !target.closest(".pw-side")) setMenu(false);
    if (target.closest("[data-pw-find]")) openPalette();
    if (target.closest("[data-pw-print]")) print();
    const chip = target.closest("[data-pw-role]");
    if (chip) filterSteps(chip);
  });

  /* The menu on phones. */
  const menuButton = one("[data-pw-menu]");
  function setMenu(open) {
    root.classList.toggle("pw-menu-open", open);
    menuButton?.setAttribute("aria-expanded", String(open));
    menuButton?.setAttribute("aria-label", open ? "Close the menu" : "Open the menu");
    if (open) one(".pw-side a")?.focus();
    else if (document.activeElement?.closest(".pw-side")) menuButton?.focus();
  }

  /* What the menu covers cannot be seen, so it closes when the focus goes there. */
  document.addEventListener("focusin", (event) => {
    if (root.classList.contains("pw-menu-open") && !event.target.closest(".pw-side, [data-pw-menu]")) setMenu(false);
  });

  /* Show the steps of one role; the heading that follows says how many that leaves. */
  function filterSteps(chip) {
    all("[data-pw-role]").forEach((other) => other.setAttribute("aria-pressed", String(other === chip)));
    const role = chip.dataset.pwRole;
    const steps = all(".pw-step[data-r]");
    steps.forEach((step) => { step.hidden = role !== "" && step.dataset.r !== role; });
    announce(`${steps.filter((step) => !step.hidden).length} of ${steps.length} steps shown`);
  }

  /* The map of a template: a step that is pointed at, or has the focus, shows all that hangs on it. */
  const showChain = (target) => {
    const chart = one("[data-pw-chains]");
    if (!chart) return;
    const stepAt = (element) => (element instanceof Element ? element.closest("[data-pw-chains] a") : null);
    const step = stepAt(target) ?? stepAt(document.activeElement);
    const places = (words) => new Set([step.dataset.n, ...words.split(" ")]);
    const sides = step ? [places(step.dataset.before), places(step.dataset.after)] : [];
    chart.toggleAttribute("data-on", step !== null);
    all("a", chart).forEach((other) => other.toggleAttribute("data-on", sides.some((side) => side.has(other.dataset.n))));
    all("path", chart).forEach((line) => line.toggleAttribute("data-on", sides.some((side) => side.has(line.dataset.s) && side.has(line.dataset.e))));
  };
  document.addEventListener("mouseover", (event) => showChain(event.target));
  document.addEventListener("focusin", (event) => showChain(event.target));

  /* Typed confirmation: the button stays disabled until the word matches. The server asks again. */
  const syncWord = (input) => {
    const button = document.getElementById(input.getAttribute("aria-controls"));
    if (button) button.disabled = input.value.trim().toUpperCase() !== input.dataset.pwWord.toUpperCase();
  };
  document.addEventListener("input", (event) => { if (event.target.matches?.("[data-pw-word]")) syncWord(event.target); });
  const prepare = (within) => all("[data-pw-word]", within).forEach(syncWord);
  prepare(document);

  /* The palette: Ctrl or Cmd with K, arrows, Enter. */
  const palette = document.getElementById("pw-palette");
  const input = palette && one("input", palette);
  const options = () => (palette ? all('[role="option"]', palette) : []);
  function openPalette() {
    if (!palette || palette.open) return;
    palette.showModal();
    input.select();
  }
  function choose(option) {
    options().forEach((other) => other.setAttribute("aria-selected", String(other === option)));
    if (option) { input.setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
    else input.removeAttribute("aria-activedescendant");
  }
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && palette) { event.preventDefault(); openPalette(); }
    if (event.key === "Escape" && root.classList.contains("pw-menu-open")) setMenu(false);
  });
  input?.addEventListener("keydown", (event) => {
    const list = options();
    const at = list.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.length) choose(list[(at + (event.key === "ArrowDown" ? 1 : -1) + list.length) % list.length]);
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      follow(list[at]);
    }
  });
  const follow = (option) => { if (option?.dataset.pwUrl) location.assign(option.dataset.pwUrl); };
  palette?.addEventListener("click", (event) => {
    if (event.target === palette) palette.close();
    follow(event.target.closest('[role="option"]'));
  });

  /* A part of a page that is read anew keeps the focus, and what the reader has folded or unfolded. */
  let before = null;
  const traits = (element) => ["id", "href", "name", "value"].map((name) => element.getAttribute(name)).join(" ");
  const likes = (element) => all(element.localName).filter((other) => traits(other) === traits(element));
  document.addEventListener("htmx:beforeSwap", (event) => {
    const focused = event.detail.target.contains(document.activeElement) ? document.activeElement : null;
    before = {
      focused,
      place: focused ? likes(focused).indexOf(focused) : 0,
      folds: new Map(all("details[id]", event.detail.target).map((details) => [details.id, details.open])),
    };
  });
  const restore = () => {
    if (!before) return;
    const { focused, place, folds } = before;
    before = null;
    folds.forEach((open, id) => { const details = document.getElementById(id); if (details) details.open = open; });
    if (!focused || focused.isConnected) return;
    const same = likes(focused);
    (same[place] ?? same[0] ?? document.getElementById("main"))?.focus({ preventScroll: true });
  };

  /* After htmx: keep the reader where they were, and say what changed. */
  document.addEventListener("htmx:afterSwap", (event) => {
    prepare(event.target);
    restore();
    if (palette?.contains(event.target)) {
      choose(options()[0] ?? null);
      announce(`${options().length} results`);
      return;
    }
    const wanted = one("[data-pw-focus]", event.target) ?? (event.target.matches("[data-pw-focus]") ? event.target : null);
    if (wanted) { wanted.setAttribute("tabindex", "-1"); wanted.focus(); }
    announce(one("[data-pw-announce]", event.target)?.dataset.pwAnnounce);
  });
  const lost = () => announce("Partwell did not answer. What you see may be old.");
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:timeout", lost);

  /* A link to something folded unfolds it. */
  const unfold = () => { const folded = document.getElementById(decodeURIComponent(location.hash.slice(1))); if (folded?.localName === "details") folded.open = true; };
  addEventListener("hashchange", unfold);
  unfold();

  /* Paper has no folds: everything that can open is open in print, and as before afterwards. */
  let opened = [];
  addEventListener("beforeprint", () => { opened = all("details:not([open])"); opened.forEach((details) => { details.open = true; }); });
  addEventListener("afterprint", () => { opened.forEach((details) => { details.open = false; }); });

  /* A page that came back with errors starts at their summary. */
  one("[data-pw-errors]")?.focus();
})();
