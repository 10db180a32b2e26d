/* Runs before the first paint, so that a dark page never flashes light. */
(() => {
  let kept = null;
  try { kept = localStorage.getItem("pw-theme"); } catch { /* storage may be refused; the system's wish decides then */ }
  const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
})();
