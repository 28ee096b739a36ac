/* Light or dark: as the system is, until the reader chooses. Runs before anything is drawn. */
(function (app) {
  "use strict";

  const KEY = "minetrace-theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const listeners = [];
  let chosen = null;
  try {
    chosen = localStorage.getItem(KEY);
  } catch { /* storage may be shut for a page opened from disk */ }

  const current = () => (chosen === "dark" || chosen === "light" ? chosen : system.matches ? "dark" : "light");

  function apply() {
    document.documentElement.dataset.theme = current();
    listeners.forEach((listener) => listener(current()));
  }

  app.theme = {
    current,
    onChange: (listener) => listeners.push(listener),
    toggle() {
      chosen = current() === "dark" ? "light" : "dark";
      try {
        localStorage.setItem(KEY, chosen);
      } catch { /* then the choice lasts as long as the page */ }
      apply();
    },
  };
  system.addEventListener("change", apply);
  apply();
})((window.minetraceApp = window.minetraceApp || {}));
