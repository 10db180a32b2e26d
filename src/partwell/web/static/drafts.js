/* Steps of a draft are dragged to their place. Without it the arrows do the same. */
(() => {
  "use strict";
  let dragged = null;
  const rowOf = (event) => (event.target instanceof Element ? event.target.closest("tr[data-pw-phase]") : null);
  const clear = () => document.querySelectorAll(".is-over").forEach((row) => row.classList.remove("is-over"));

  document.addEventListener("dragstart", (event) => {
    dragged = rowOf(event)?.matches("[data-pw-step]") ? rowOf(event) : null;
    if (dragged) event.dataTransfer.effectAllowed = "move";
  });
  document.addEventListener("dragover", (event) => {
    const over = rowOf(event);
    if (!dragged || !over || over === dragged) return;
    event.preventDefault();
    clear();
    over.classList.add("is-over");
  });
  document.addEventListener("drop", (event) => {
    const over = rowOf(event);
    clear();
    if (!dragged || !over || over === dragged) return;
    event.preventDefault();
    // A step takes the place of the one it is dropped on; on the name of a phase it becomes the first.
    const steps = [...over.closest("tbody").querySelectorAll("[data-pw-step]")];
    const place = Math.max(steps.indexOf(over), 0) + 1;
    const button = document.querySelector("[data-pw-drop]");
    button.value = `${dragged.dataset.pwStep}:${over.dataset.pwPhase}:${place}`;
    button.click();
  });
  document.addEventListener("dragend", () => { dragged = null; clear(); });
})();
