/* Hectares by territory, for the period shown: a table that sorts, and leads to each on the map. */
(function (app) {
  "use strict";

  const { el } = app;
  const OVERLAP_HA = 0.01; // less is the rounding of a border
  const SUMS = { together: "In any of them, once", outside: "In none", total: "All" };
  const SILENT = ["not looked", "no site given"];

  const label = (row) => [row.name || row.id, row.class === undefined ? null : row.class || "no class"]
    .filter(Boolean).join(" · ");

  /** What draws the block of a period; null where nothing was counted. actions.choose(id or null). */
  app.territories = (data, actions) => {
    const told = data.tallies;
    if (!told) return null;
    const sorted = { measure: Object.keys(told.measures)[0], key: "value", down: true }; // kept while periods change
    const anyLooked = told.rows.some((row) => row.looked.some((share) => share !== null));
    const anyOverlap = told.rows.some((row) => row.overlap.some((value) => value > OVERLAP_HA));

    const columnsOf = (at) => [
      { key: "name", title: "Territory", of: label },
      { key: "value", title: "Hectares", of: (row) => row.values[sorted.measure][at], number: true },
      { key: "sites", title: "Sites", of: (row) => row.sites[at], number: true },
      anyLooked && { key: "looked", title: "Looked at", of: (row) => row.looked[at], number: true },
    ].filter(Boolean);

    function ranked(columns, at) {
      const { of } = columns.find((one) => one.key === sorted.key);
      const sign = sorted.down ? -1 : 1;
      const holds = (row) => row.state[at] !== null; // a class may hold in some periods only
      return told.rows.filter(holds).sort((a, b) => {
        const [x, y] = [of(a), of(b)];
        if (x === y) return label(a).localeCompare(label(b));
        if (x === null || y === null) return x === null ? 1 : -1;
        return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
      });
    }

    function head(columns, redraw) {
      return el("tr", {}, columns.map((column) => el("th", {
        scope: "col", class: column.number ? "number" : null,
        "aria-sort": column.key !== sorted.key ? null : sorted.down ? "descending" : "ascending",
      }, el("button", { type: "button", "data-sort": column.key, onclick: () => {
        sorted.down = column.key === sorted.key ? !sorted.down : Boolean(column.number);
        sorted.key = column.key;
        redraw(column.key);
      } }, column.title))));
    }

    function figures(row, columns, at) {
      const value = row.values[sorted.measure][at];
      const silent = value === null && SILENT.includes(row.state[at]);
      return columns.slice(1).map((column) => {
        if (column.key === "value") {
          return el("td", { class: "number", "data-hectares": value },
            silent ? el("em", { class: "muted" }, row.state[at]) : value === null ? "–" : app.hectares(value));
        }
        const figure = column.of(row);
        const text = figure === null ? "" : column.key === "looked" ? app.percent(figure) : figure.toLocaleString("en");
        return el("td", { class: "number" }, text);
      });
    }

    function line(row, columns, at, chosen) {
      const overlap = row.overlap[at];
      const mark = overlap > OVERLAP_HA
        && el("span", { class: "muted", title: `${app.hectares(overlap)} of it lie in another territory as well` }, " †");
      return el("tr", { class: chosen ? "chosen" : null, onclick: () => actions.choose(chosen ? null : row.id) },
        el("th", { scope: "row" },
          el("button", { type: "button", "data-territory": row.id, "aria-pressed": String(chosen),
            title: chosen ? "Show all" : "Show on the map" }, label(row)), mark),
        figures(row, columns, at));
    }

    function notes() {
      return [
        "A site across a border counts on both sides with what lies there.",
        told.rows.some((row) => row.state.some((word) => SILENT.includes(word)))
          && "“Not looked” and “no site given” never mean that there is no mine.",
        anyOverlap && "† overlaps others: do not add them up; the sum counts that ground once.",
        told.within > 0 && `Borders are drawn to ${told.within.toLocaleString("en")} m; hectares are counted in full.`,
      ].filter(Boolean).join(" ");
    }

    /** The block for a period of the map, with the chosen territory or null. */
    return (period, chosen) => {
      const block = el("section", { class: "block territories", id: "territories" });
      const at = told.periods.indexOf(data.periods[period].label);

      function draw(focus) {
        const columns = columnsOf(at);
        const measure = el("select", { "aria-label": "Which hectares", id: "measure", onchange: () => {
          sorted.measure = measure.value;
          draw("measure");
        } }, Object.entries(told.measures).map(([value, words]) =>
          el("option", { value, selected: value === sorted.measure }, words)));
        const scroll = el("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": told.title },
          el("table", {},
            el("thead", {}, head(columns, draw)),
            el("tbody", {}, ranked(columns, at).map((row) => line(row, columns, at, row.id === chosen))),
            el("tfoot", {}, Object.entries(SUMS).filter(([part]) => told.sums[part]).map(([part, words]) =>
              el("tr", { class: part }, el("th", { scope: "row" }, words), figures(told.sums[part], columns, at))))));
        block.replaceChildren(
          el("h2", {}, told.title, el("span", { class: "unit" }, `ha ${told.kind} · ${told.qualifier}`)),
          measure, scroll, el("p", { class: "muted small" }, notes()));
        if (focus === "measure") measure.focus();
        else if (focus) block.querySelector(`[data-sort="${focus}"]`).focus();
      }

      if (at >= 0) draw();
      return at < 0 ? null : block;
    };
  };
})((window.minetraceApp = window.minetraceApp || {}));
