/* The panel beside the map: the period, the sites, one site's history, the provenance. */
(function (app) {
  "use strict";

  const { el, swatch } = app;
  const NAMED = 9; // with more periods the legend becomes a ramp
  const KIND = {
    mined: "mined",
    footprint: "footprint",
  };
  const FOOTPRINT = "Windows in which mining was seen; larger than the mined ground itself.";

  const dates = (period) => `${app.day(period.start)} – ${app.day(period.last)}`;
  const { isBlind } = app;

  const kind = (name) =>
    el("span", { class: "kind", title: name === "footprint" ? FOOTPRINT : null }, KIND[name]);

  /* A hectare figure never stands alone: its kind and how sure it is go with it. */
  function figure(value, name, qualifier) {
    return [
      el("span", { class: "value", "data-hectares": value }, app.hectares(value)),
      " ", kind(name), " ",
      el("span", { class: "qualifier" }, qualifier),
    ];
  }

  function spoken(value, name, qualifier) {
    return `${app.hectares(value)} ${KIND[name]}, ${qualifier}`;
  }

  /* --- the period shown and the sum over sites ------------------------------------------ */

  function lookedWords(period) {
    if (period.looked === null) return "What was looked at is not told";
    if (!(period.looked > 0)) return "None of the region was looked at";
    return `${app.percent(period.looked)} of the region looked at`;
  }

  function periodBlock(data, at) {
    const period = data.periods[at];
    const blind = isBlind(period);
    return el(
      "section",
      { class: "now", "data-period": period.label },
      el("div", { class: "now-head" }, el("h2", {}, period.label), el("span", { class: "muted" }, dates(period))),
      blind
        ? el("p", { class: "blind" }, el("strong", {}, "Not looked"),
            period.looked > 0
              ? " Next to no clear image of the region in this period. Mines may be there."
              : " No clear image of the region in this period. Mines may be there.")
        : el("p", { class: "figure" }, figure(period.hectares, period.kind, data.qualifier)),
      period.estimated ? el("p", { class: "estimated" }, period.estimated) : "",
      el("p", { class: "muted" },
        blind ? "" : app.count(period.sites, "site", "sites") + " · ", lookedWords(period)),
    );
  }

  function summaryRows(data) {
    return data.periods.map((period, i) => {
      const value = isBlind(period) ? null : period.hectares;
      const parts = period.cohorts
        ? period.cohorts.map((part, first) => ({ value: part, colour: data.palette[first] }))
        : [{ value, colour: null }];
      const words = value === null ? "not looked" : spoken(value, period.kind, data.qualifier);
      return {
        label: period.label, value, parts, kind: period.kind, looked: period.looked,
        title: `${period.label}: ${words}; ${lookedWords(data.periods[i]).toLowerCase()}`,
      };
    });
  }

  function kindsOf(rows) {
    const kinds = [...new Set(rows.filter((row) => row.value !== null).map((row) => row.kind))];
    return kinds.map((name) => KIND[name]).join(" and ") || KIND.mined;
  }

  let tableOpen = false; // stays as the reader left it while periods change

  function tableBlock(title, data, rows) {
    const table = app.chartTable(rows, `${title}, ${data.qualifier}`, `Hectares ${kindsOf(rows)}, ${data.qualifier}`);
    table.open = tableOpen;
    table.addEventListener("toggle", () => { tableOpen = table.open; });
    return table;
  }

  function chartBlock(title, data, rows, current, onPick, withTable) {
    const holder = el("div", { class: "chart-holder" });
    const block = el(
      "section",
      { class: "block" },
      el("h2", {}, title, el("span", { class: "unit" }, `ha ${kindsOf(rows)} · ${data.qualifier}`)),
      holder,
      el("p", { class: "key small muted" },
        el("span", { class: "key-looked" }), "share looked at",
        rows.some((row) => row.value === null) && [el("span", { class: "key-hatch" }), "not looked"]),
      withTable && tableBlock(title, data, rows),
    );
    block.draw = () => app.chart(holder, { rows, current, onPick, name: `${title}, ${data.qualifier}` });
    return block;
  }

  function siteButton(data, site, at, onSelect) {
    const row = site.rows[at];
    return el(
      "li", {},
      el("button", { type: "button", class: "site-row", "data-site": site.id, onclick: () => onSelect(site.number) },
        swatch(data.palette[site.first]),
        el("span", { class: "site-id" }, site.name || site.id),
        row && row.seen
          ? el("span", { class: "site-figure" }, figure(row.ha, row.kind, row.inferred ? `inferred, ${data.qualifier}` : data.qualifier))
          : el("span", { class: "site-figure muted" }, "not looked")),
    );
  }

  function siteList(data, sites, at, onSelect) {
    const { label, leaders, listed } = data.periods[at];
    const rest = listed - leaders.length;
    return el(
      "section",
      { class: "block" },
      el("h2", {}, rest > 0 ? `Largest sites in ${label}` : `Sites in ${label}`),
      leaders.length
        ? el("ul", { class: "sites" }, leaders.map((number) => siteButton(data, sites.peek(number), at, onSelect)))
        : el("p", { class: "muted" }, "No mine was found in what was looked at."),
      rest > 0 && el("p", { class: "muted small" }, `and ${app.count(rest, "smaller site", "smaller sites")} on the map`),
    );
  }

  /* --- one site ------------------------------------------------------------------------- */

  function history(data, site, at, setPeriod) {
    return data.periods.map((period, i) => {
      const row = site.rows[i];
      const seen = row && row.seen;
      const notes = [];
      if (seen) {
        if (row.event) notes.push(app.words(row.event));
        if (row.mean !== null) {
          notes.push(`score ${row.mean.toFixed(2)}`
            + (row.max === null ? "" : ` (max ${row.max.toFixed(2)})`));
        }
      }
      if (row && row.inferred) notes.push("inferred from other periods");
      if (row && row.looked > 0) notes.push(`looked ${app.percent(row.looked)}`);
      if (row && row.parents.length) notes.push(`from ${row.parents.join(", ")}`);
      return el(
        "li", {},
        el("button", {
          type: "button", class: "year" + (i === at ? " current" : ""), "data-period": period.label,
          "aria-current": i === at ? "true" : null, onclick: () => setPeriod(i),
        },
        el("span", { class: "year-label" }, period.label),
        el("span", { class: "year-body" },
          seen
            ? el("span", { class: "figure" }, figure(row.ha, row.kind, data.qualifier))
            : el("span", { class: "figure unseen" }, el("span", { class: "key-hatch" }), "Not looked"),
          notes.length > 0 && el("span", { class: "notes muted" }, notes.join(" · ")))),
      );
    });
  }

  function siteRows(data, site) {
    return data.periods.map((period, i) => {
      const row = site.rows[i];
      const value = row && row.seen ? row.ha : null;
      const name = row ? row.kind : "mined";
      const words = value === null ? "not looked" : spoken(value, name, data.qualifier);
      return {
        label: period.label, value, kind: name, looked: (row && row.looked) || 0,
        parts: [{ value, colour: data.palette[site.first] }], title: `${period.label}: ${words}`,
      };
    });
  }

  function facts(data, site) {
    const when = (i, p) => data.periods[i].label + (p === null ? "" : ` (p = ${p.toFixed(2)})`);
    const pairs = [
      site.name && ["Site", site.id],
      ["First seen", [swatch(data.palette[site.first]), when(site.first, site.firstP)]],
      ["Last seen", when(site.last, site.lastP)],
      site.verified !== null && ["Checked by a person", site.verified ? "yes" : "not yet"],
    ];
    return el("dl", { class: "facts" },
      pairs.filter(Boolean).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }

  function siteBlocks(data, site, at, actions) {
    const chart = chartBlock("History", data, siteRows(data, site), at, actions.setPeriod, false);
    const merged = site.rows.some((row) => row && row.parents.length);
    return [
      el("button", { type: "button", class: "back", onclick: () => actions.select(null) }, "All sites"),
      el("div", { class: "site-head" },
        el("h2", { tabindex: "-1", id: "site-name" }, site.name || site.id),
        el("button", { type: "button", class: "quiet", onclick: () => actions.goTo(site) }, "Zoom to site")),
      facts(data, site),
      merged && el("p", { class: "muted small" },
        "Sites grew together here. The colour is that of the oldest; ground that joined later may be younger."),
      ...(data.periods.length > 1 ? [chart] : []),
      el("ol", { class: "years" }, history(data, site, at, actions.setPeriod)),
    ];
  }

  /* --- around it ------------------------------------------------------------------------ */

  function legend(data) {
    const used = (i) => data.periods[i].begunCount > 0;
    const steps = data.periods.map((period, i) => used(i) && el("li", {}, swatch(data.palette[i]), period.label));
    const ramp = el("li", { class: "ramp-row" },
      el("div", { class: "ramp" }, data.periods.map((period, i) =>
        el("span", { title: period.label, style: { background: data.palette[i] } }))),
      el("div", { class: "ends" }, el("span", {}, data.periods[0].label), el("span", {}, data.periods.at(-1).label)));
    const hidden = data.periods.some((period) => (period.looked !== null && !(period.looked >= 1)) || period.hatched);
    const inferred = data.periods.some((period) => period.inferred);
    const box = document.getElementById("legend");
    box.hidden = !data.count && !hidden;
    box.replaceChildren(
      el("h2", {}, data.count ? "Site first seen" : "Legend"),
      el("ul", {}, data.periods.length > NAMED && data.count ? ramp : steps,
        hidden && el("li", { class: "apart" }, el("span", { class: "key-hatch" }), "not looked"),
        inferred && el("li", { class: "apart" }, el("span", { class: "key-dashed" }), "not looked, inferred"),
        data.tallies && el("li", { class: "apart" }, el("span", { class: "key-border" }), "border"),
        data.tiles && el("li", { class: "apart" }, el("span", { class: "key-dot" }), "largest site nearby")),
    );
  }

  /* What the reader is looking at, in two sentences. */
  function lead(data) {
    const kinds = [...new Set(data.periods.filter((p) => p.hectares !== null).map((p) => p.kind))];
    const whose = data.given ? `, ${data.given}` : " as it was mapped from satellite images";
    const ground = kinds.includes("footprint")
      ? `Outlines are footprints: windows in which mining was seen, larger than the mined ground itself${data.given ? whose : ""}.`
      : `Outlines show mined ground${whose}.`;
    const checked = data.periods.filter((p) => p.estimated).map((p) => p.label).join(", ");
    const known = checked
      ? `A sample was checked for ${checked}: its hectares are told beside them, with an interval.`
      : "How far they may be off is not known yet.";
    return `${ground} Hectares of the map are “${data.qualifier}”. ${known}`;
  }

  /** What a period says, in a sentence that can be read out. */
  app.announcement = (data, at) => {
    const period = data.periods[at];
    if (isBlind(period)) return `${period.label}: not looked. Mines may be there.`;
    return `${period.label}: ${spoken(period.hectares, period.kind, data.qualifier)}; `
      + (period.estimated ? `${period.estimated}; ` : "")
      + `${app.count(period.sites, "site", "sites")}; ${lookedWords(period)}`;
  };

  /** Fill what never changes, and return what redraws the rest for a period and a site or null. */
  app.panel = (data, sites, actions) => {
    const overview = document.getElementById("overview");
    const details = document.getElementById("site");
    const single = data.periods.length === 1; // one bar says nothing that the figure does not
    let charts = [];
    document.getElementById("title").textContent = data.title;
    const span = single ? data.periods[0].label : `${data.periods[0].label} to ${data.periods.at(-1).label}`;
    document.getElementById("subtitle").textContent = `Mining ${span} · ${app.count(data.count, "site", "sites")}`;
    document.getElementById("lead").textContent = lead(data);
    document.getElementById("provenance").replaceChildren(
      ...data.provenance.flatMap(([name, value]) => [el("dt", {}, app.words(name)), el("dd", {}, value)]));
    const known = Object.fromEntries(data.provenance);
    document.getElementById("credit").textContent =
      known.attribution || [known.source, known.model].filter(Boolean).join(" · ");
    for (const place of document.querySelectorAll("[data-qualifier]")) place.textContent = data.qualifier;
    legend(data);
    const territories = app.territories(data, actions);
    const redraw = () => charts.forEach((chart) => chart.draw());
    new ResizeObserver(redraw).observe(document.querySelector(".panel"));

    return (at, site, territory) => {
      document.querySelector(".panel").classList.toggle("with-site", site !== null);
      overview.hidden = site !== null;
      details.hidden = site === null;
      if (site === null) {
        const chart = chartBlock("All sites", data, summaryRows(data), at, actions.setPeriod, true);
        overview.replaceChildren(
          periodBlock(data, at), ...(single ? [] : [chart]),
          ...[territories && territories(at, territory)].filter(Boolean), siteList(data, sites, at, actions.select));
        charts = single ? [] : [chart];
      } else {
        const blocks = siteBlocks(data, site, at, actions).filter(Boolean);
        details.replaceChildren(...blocks);
        charts = blocks.filter((block) => block.draw);
      }
      redraw();
    };
  };
})((window.minetraceApp = window.minetraceApp || {}));
