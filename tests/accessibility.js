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

  /* --- Focus ------------------------------------------------------------ */

  const isTabbable = (element) => {
    if (element.tabIndex < 0 || element.disabled || !isShown(element)) return false;
    if (element.localName === "summary" && element.parentElement.querySelector("summary") !== element) return false;
    if (element.type !== "radio") return true;
    // The arrow keys lead from one radio button to the next, so Tab stops at one of them.
    const group = all(`input[type=radio][name="${CSS.escape(element.name)}"]`).filter((other) => other.form === element.form);
    return (group.find((other) => other.checked) ?? group[0]) === element;
  };
  const tabbable = () => {
    const modal = document.querySelector("dialog:modal"); // what lies under it is out of reach, as it should be
    return all("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]")
      .filter((element) => (!modal || modal.contains(element)) && isTabbable(element));
  };

  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  /** Any colour that CSS can write, as red, green, blue and how far it covers, from 0 to 255 each. */
  const colour = (css) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = css;
    brush.fillRect(0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (parts) => {
    const [red, green, blue] = parts.slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const groundOf = (element) => {
    for (let holder = element; holder; holder = holder.parentElement) {
      const ground = colour(getComputedStyle(holder).backgroundColor);
      if (ground[3] > 127) return ground;
    }
    return [255, 255, 255, 255];
  };

  /** What is wrong with how the focus shows on this element, or nothing. */
  const unseen = (element) => {
    const boxes = [...element.getClientRects()].filter((box) => box.width > 1 && box.height > 1);
    if (!boxes.length) return "has the focus and no box that can be seen";
    const box = boxes.reduce((best, other) => (other.width * other.height > best.width * best.height ? other : best));
    const left = Math.max(box.left, 0), right = Math.min(box.right, document.documentElement.clientWidth);
    const top = Math.max(box.top, 0), bottom = Math.min(box.bottom, innerHeight);
    if (right - left < 1 || bottom - top < 1) return "has the focus outside of the window";
    for (const [across, down] of [[0.5, 0.5], [0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]]) {
      const hit = document.elementFromPoint(left + (right - left) * across, top + (bottom - top) * down);
      if (!hit || hit.contains(element) || element.contains(hit)) continue;
      for (let cover = hit; cover && !cover.contains(element); cover = cover.parentElement) {
        if (["sticky", "fixed"].includes(getComputedStyle(cover).position)) return `has the focus behind ${name(cover)}`;
      }
      if (across === 0.5) return `has the focus under ${name(hit)}`;
    }
    const style = getComputedStyle(element);
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return "does not show that it has the focus";
    const ratio = contrast(colour(style.outlineColor), groundOf(element.parentElement));
    return ratio < 3 ? `shows its focus with a contrast of ${ratio.toFixed(1)} only` : "";
  };

  let walked = null;
  document.addEventListener("keyup", (event) => {
    if (event.key !== "Tab" || !walked) return;
    const here = document.activeElement;
    if (!here || here === document.body || here === document.documentElement) return;
    if (walked.stops.has(here)) return;
    walked.stops.add(here);
    const wrong = unseen(here);
    if (wrong) walked.problems.push(`${name(here)} ${wrong}`);
  });

  /** Begin at the top of the page; how many presses of Tab lead past its last stop. */
  const beginWalk = () => {
    const start = document.createElement("span");
    start.tabIndex = -1;
    document.body.prepend(start);
    start.focus();
    start.remove();
    scrollTo(0, 0);
    const stops = tabbable();
    walked = { stops: new Set(), problems: [] };
    // The parts of a date or a time are stops of their own inside one field.
    return stops.length + 6 * stops.filter((stop) => /^(date|datetime-local|time)$/.test(stop.type)).length + 1;
  };
  const endWalk = () => {
    const missed = tabbable().filter((stop) => !walked.stops.has(stop));
    const found = { stops: walked.stops.size, missed: missed.map(name), problems: walked.problems };
    if (!missed.length) walked = null;
    return found;
  };

  const walkBack = () => {
    scrollTo(0, document.documentElement.scrollHeight);
    return tabbable().reverse().flatMap((stop) => {
      stop.focus();
      const wrong = document.activeElement === stop ? unseen(stop) : "does not take the focus";
      return wrong ? [`${name(stop)} ${wrong}`] : [];
    });
  };

  const problemOfFocus = () => {
    const here = document.activeElement;
    const wrong = here && here !== document.body ? unseen(here) : "nothing has the focus";
    return wrong && `${name(here)} ${wrong}`;
  };

  /* --- Paper ------------------------------------------------------------ */

  const onPaper = (selector) => {
    const pieces = all(selector);
    const controls = all("button, .btn, [type=submit], aside nav, header, .pw-chips, .pw-skip");
    return {
      controls: controls.filter(isShown).map(name),
      folded: all("details > :not(summary)").filter((part) => !isShown(part)).map(name),
      split: pieces.filter((piece) => getComputedStyle(piece).breakInside !== "avoid").map(name),
      pieces: pieces.map(name),
    };
  };

  return { sideways, smallTargets, beginWalk, endWalk, walkBack, problemOfFocus, onPaper };
})();
