/* What the accessibility checks ask of a page; tests/accessibility.py calls these. */
window.pwChecks = (() => {
  "use strict";
  const LEAST = 24; // CSS pixels: WCAG 2.2, 2.5.8
  const TARGETS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [role=link], [role=checkbox]";
  const all = (selector) => [...document.querySelectorAll(selector)];
  const isShown = (element) =>
    element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && element.getClientRects().length > 0;

  /** An element in a few words, for whoever has to mend it. */
  const name = (element) => {
    const words = (element.getAttribute("aria-label") || element.innerText || element.name || "").trim().replace(/\s+/g, " ");
    const where = element.id ? `#${element.id}` : element.classList.length ? `.${[...element.classList].join(".")}` : "";
    return `<${element.localName}${where}> “${words.slice(0, 50)}”`;
  };

  const sideways = () => {
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide <= 0) return [];
    const out = all("body *").filter((element) => isShown(element) && element.getBoundingClientRect().right > innerWidth + 1);
    return [`scrolls ${wide} px sideways: ${out.slice(0, 4).map(name).join(", ")}`];
  };

  /* --- Targets ---------------------------------------------------------- */

  /** Where a press counts: a field inside its label is as large as the label. */
  const areaOf = (element) => {
    const own = element.getBoundingClientRect();
    const label = element.closest("label")?.getBoundingClientRect();
    if (!label) return own;
    const left = Math.min(own.left, label.left), top = Math.min(own.top, label.top);
    return new DOMRect(left, top, Math.max(own.right, label.right) - left, Math.max(own.bottom, label.bottom) - top);
  };

  /** Whether other words stand in the same line of text as this link: then their line decides its height. */
  const isInSentence = (element) => {
    if (getComputedStyle(element).display !== "inline") return false;
    let block = element.parentElement;
    while (getComputedStyle(block).display === "inline") block = block.parentElement;
    const texts = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (!/[\p{L}\p{N}]/u.test(text.data) || text.parentElement.closest(TARGETS) || text.parentElement.closest(".pw-vh")) continue;
      let holder = text.parentElement;
      while (getComputedStyle(holder).display === "inline") holder = holder.parentElement;
      if (holder === block) return true;
    }
    return false;
  };

  const distance = (x, y, box) =>
    Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));

  const targets = () =>
    all(TARGETS)
      .filter((element) => isShown(element) && getComputedStyle(element).clipPath === "none")
      .map((element) => ({ element, box: areaOf(element) }))
      // What stands above the page, such as a link that comes into sight with the focus, cannot be pressed.
      .filter(({ box }) => box.width > 0 && box.height > 0 && box.bottom + scrollY > 0)
      .map((target) => ({
        ...target,
        isSmall: target.box.width < LEAST - 0.5 || target.box.height < LEAST - 0.5,
        x: target.box.left + target.box.width / 2,
        y: target.box.top + target.box.height / 2,
      }));

  const smallTargets = () => {
    const found = targets();
    return found
      .filter((target) => target.isSmall && !isInSentence(target.element))
      .flatMap((target) => {
        const near = found.find((other) =>
          other !== target && !other.element.contains(target.element) && !target.element.contains(other.element) &&
          (distance(target.x, target.y, other.box) < LEAST / 2 - 0.5 ||
            (other.isSmall && Math.hypot(target.x - other.x, target.y - other.y) < LEAST - 0.5)));
        const size = `${target.box.width.toFixed(0)} × ${target.box.height.toFixed(0)} px`;
        return near ? [`target of ${size}: ${name(target.element)} too near to ${name(near.element)}`] : [];
      });
  };

  return { sideways, smallTargets, targets: () => targets().length };
})();
