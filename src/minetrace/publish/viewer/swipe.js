/* The divider between two periods: dragged, or moved with the arrow keys. */
(function (app) {
  "use strict";

  const { el } = app;
  const STEP = 0.02;

  /** Make the divider in the stage. onMove(split) is told where it is, 0 to 1; onPick(period) of the left side. */
  app.swipe = (stage, { data, onMove, onPick }) => {
    let split = 0.5;
    const choice = el("select", { id: "before", "aria-label": "Period on the left",
      onchange: () => onPick(Number(choice.value)) },
    data.periods.map((period, i) =>
      el("option", { value: i }, period.label)));
    const right = el("span", { class: "swipe-after" });
    const bar = el("div", { class: "swipe-bar", role: "separator", tabindex: "0", "aria-orientation": "vertical",
      "aria-valuemin": "0", "aria-valuemax": "100", id: "divider" }, el("span", { class: "swipe-grip", "aria-hidden": "true" }));
    const root = el("div", { class: "swipe", hidden: true },
      el("div", { class: "swipe-labels" }, choice, right), bar);
    stage.append(root);

    function move(to) {
      split = Math.max(0, Math.min(1, to));
      root.style.setProperty("--split", `${100 * split}%`);
      bar.setAttribute("aria-valuenow", String(Math.round(100 * split)));
      onMove(split);
    }

    bar.addEventListener("pointerdown", (event) => {
      bar.setPointerCapture(event.pointerId);
      event.preventDefault();
      bar.focus({ preventScroll: true });
    });
    bar.addEventListener("pointermove", (event) => {
      if (!bar.hasPointerCapture(event.pointerId)) return;
      const frame = stage.getBoundingClientRect();
      move((event.clientX - frame.left) / frame.width);
    });
    bar.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: split - STEP, ArrowRight: split + STEP, PageUp: split - 5 * STEP,
        PageDown: split + 5 * STEP, Home: 0, End: 1 }[event.key];
      if (to === undefined) return;
      move(to);
      event.preventDefault();
      event.stopPropagation();
    });

    return {
      get split() { return split; },
      move,
      /** before: the period on the left, or null to put the divider away. */
      show(before, after) {
        root.hidden = before === null;
        if (before === null) return;
        choice.value = String(before);
        right.textContent = data.periods[after].label;
        bar.setAttribute("aria-label", `Divider: ${data.periods[before].label} on the left, ${data.periods[after].label} on the right`);
      },
    };
  };
})((window.minetraceApp = window.minetraceApp || {}));
