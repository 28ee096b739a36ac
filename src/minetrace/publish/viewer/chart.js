/* Bars over periods: hectares, what was not looked at, and how much was; and the same as a table. */
(function (app) {
  "use strict";

  const { svg, el } = app;
  const HEIGHT = 148;
  const TOP = 12;
  const BASE = 112;
  const LEFT = 40;

  function niceCeiling(value) {
    if (!(value > 0)) return 1;
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value * 0.999) * power;
  }

  function axis(top, width) {
    const notation = top >= 10000 ? "compact" : "standard"; // 10K: the room is for five signs
    const text = (value) => value.toLocaleString("en", { maximumSignificantDigits: 3, notation });
    return [0, top / 2, top].map((value) => {
      const y = BASE - ((BASE - TOP) * value) / top;
      return [
        svg("line", { class: value ? "grid" : "base", x1: LEFT, x2: width, y1: y, y2: y }),
        svg("text", { class: "axis", x: LEFT - 8, y: y + 3.5, "text-anchor": "end" }, text(value)),
      ];
    });
  }

  function bar(row, x, width, scale) {
    if (row.value === null) {
      return svg("rect", {
        class: "hatched", x, width, y: TOP, height: BASE - TOP, fill: "url(#hatch)",
      });
    }
    if (row.value === 0) {
      return svg("line", { class: "zero", x1: x, x2: x + width, y1: BASE - 1, y2: BASE - 1 });
    }
    let y = BASE;
    return row.parts.filter((part) => part.value > 0).map((part) => {
      const height = part.value * scale;
      y -= height;
      const outlined = row.kind === "footprint";
      return svg("rect", {
        class: "bar" + (outlined ? " footprint" : "") + (part.colour ? "" : " neutral"),
        x, y, width, height: Math.max(height, 0.75),
        fill: part.colour,
      });
    });
  }

  /* How much was looked at, as a line under the bar. */
  function gauge(row, x, width) {
    const y = BASE + 6;
    return [
      svg("rect", { class: "gauge", x, y, width, height: 3, rx: 1.5 }),
      row.looked > 0 &&
        svg("rect", { class: "gauge-on", x, y, width: width * row.looked, height: 3, rx: 1.5 }),
    ];
  }

  function column(row, i, options, step, scale) {
    const x = LEFT + i * step;
    const width = Math.max(2, Math.min(44, step * 0.68));
    const left = x + (step - width) / 2;
    const every = Math.ceil((row.label.length * 7.2 + 6) / step);
    const half = row.label.length * 3.7; // about half the width of the label
    const middle = Math.min(x + step / 2, LEFT + step * options.rows.length - half);
    const labelled = i === options.current || (i % every === 0 && Math.abs(i - options.current) >= every);
    return svg(
      "g",
      {
        class: "column" + (i === options.current ? " current" : ""),
        onclick: options.onPick && (() => options.onPick(i)),
      },
      svg("title", {}, row.title),
      svg("rect", { class: "target", x, y: 0, width: step, height: HEIGHT }),
      bar(row, left, width, scale),
      gauge(row, left, width),
      labelled &&
        svg("text", { class: "label", x: middle, y: BASE + 26, "text-anchor": "middle" }, row.label),
    );
  }

  /**
   * Draw a chart into an element.
   *
   * options: rows [{label, value (null: not looked), parts [{value, colour}], kind, looked, title}],
   * current (the place of the period shown), name, onPick(place).
   */
  app.chart = (holder, options) => {
    const width = Math.max(220, holder.clientWidth);
    const top = niceCeiling(Math.max(...options.rows.map((row) => row.value || 0)));
    const scale = (BASE - TOP) / top;
    const step = (width - LEFT) / options.rows.length;
    holder.replaceChildren(
      svg(
        "svg",
        { class: "chart", role: "img", "aria-label": options.name, width, height: HEIGHT,
          viewBox: `0 0 ${width} ${HEIGHT}` },
        axis(top, width),
        options.rows.map((row, i) => column(row, i, options, step, scale)),
      ),
    );
  };

  /** The rows of a chart in words and numbers, for whoever does not look at bars. */
  app.chartTable = (rows, name, unit) =>
    el("details", { class: "as-table" }, el("summary", {}, "Show as a table"),
      el("table", {}, el("caption", { class: "hidden-text" }, name),
        el("thead", {}, el("tr", {}, ["Period", unit, "Looked at"].map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, rows.map((row) => el("tr", { "data-period": row.label },
          el("th", { scope: "row" }, row.label),
          el("td", {}, row.value === null ? "not looked" : app.hectares(row.value)),
          el("td", {}, row.looked === null ? "–" : app.percent(row.looked)))))));
})((window.minetraceApp = window.minetraceApp || {}));
