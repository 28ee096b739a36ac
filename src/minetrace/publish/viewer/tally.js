/* Territories ranked by the hectares of a period. Text from data enters as text nodes only. */
(function (app) {
  "use strict";

  const told = window.minetraceTally;
  const at = (id) => document.getElementById(id);
  const OVERLAP_HA = 0.01; // less is the rounding of a border
  const state = {
    measure: Object.keys(told.measures)[0], period: told.periods.length - 1, key: "value", down: true,
  };

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick") node.addEventListener("click", value);
      else if (value !== null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  function hectares(value) {
    if (value === null) return "–";
    const digits = value === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
    return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  const percent = (share) => (share === null ? "" : Math.round(100 * share) + "\u00a0%");
  const valueOf = (row) => row.values[state.measure][state.period];
  const label = (row) => [row.name || row.id, row.class === undefined ? null : row.class || "no class"]
    .filter(Boolean).join(" · ");
  const holds = (row) => row.state[state.period] !== null; // a class may hold in some periods only
  const silent = (row) => valueOf(row) === null && ["not looked", "no site given"].includes(row.state[state.period]);
  const anyLooked = told.rows.some((row) => row.looked.some((share) => share !== null));
  const anyOverlap = told.rows.some((row) => row.overlap.some((value) => value > OVERLAP_HA));

  const columns = [
    { key: "name", title: "Territory", of: label },
    { key: "value", title: "Hectares", of: valueOf, number: true },
    { key: "bar", title: "" },
    { key: "sites", title: "Sites", of: (row) => row.sites[state.period], number: true },
    anyLooked && { key: "looked", title: "Looked at", of: (row) => row.looked[state.period], number: true },
  ].filter(Boolean);

  function ranked() {
    const column = columns.find((one) => one.key === state.key);
    const sign = state.down ? -1 : 1;
    return told.rows.filter(holds).sort((a, b) => {
      const [x, y] = [column.of(a), column.of(b)];
      if (x === y) return label(a).localeCompare(label(b));
      if (x === null || y === null) return x === null ? 1 : -1;
      return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
    });
  }

  function head() {
    return columns.map((column) => el(
      "th",
      {
        scope: "col", class: column.number ? "number" : column.key === "bar" ? "bar" : null,
        "aria-sort": column.key !== state.key ? null : state.down ? "descending" : "ascending",
      },
      column.of ? el("button", {
        type: "button",
        onclick: () => {
          state.down = column.key === state.key ? !state.down : Boolean(column.number);
          state.key = column.key;
          draw();
        },
      }, column.title) : el("span", { class: "hidden-text" }, "Bar"),
    ));
  }

  function named(row) {
    const view = told.views[row.id];
    if (!view) return label(row);
    const period = encodeURIComponent(told.periods[state.period]);
    return el("a", { href: `map/index.html#period=${period}&at=${view}`, title: "Show on the map" }, label(row));
  }

  function line(row, words, most, name) {
    const value = valueOf(row);
    const bar = el("span", { class: state.measure === "unseen_ha" ? "unseen" : null });
    bar.style.width = most > 0 && value ? (100 * value) / most + "%" : "0";
    if (state.measure !== "unseen_ha") bar.style.background = told.palette[state.period];
    const overlap = row.overlap[state.period];
    const mark = overlap > OVERLAP_HA
      ? el("span", { class: "mark", title: hectares(overlap) + " ha of it lie in another territory as well" }, " †")
      : null;
    return el("tr", { class: name },
      el("td", {}, words, mark),
      el("td", { class: "number", "data-hectares": value }, hectares(value)),
      el("td", { class: "bar" }, name ? "" : silent(row) ? el("em", { class: "muted" }, row.state[state.period]) : bar),
      el("td", { class: "number" }, row.sites[state.period] === null ? "" : row.sites[state.period].toLocaleString("en")),
      anyLooked ? el("td", { class: "number" }, percent(row.looked[state.period])) : null);
  }

  const SUMS = { together: "In any of them, once", outside: "In none", total: "All" };

  function draw() {
    const rows = ranked();
    const most = Math.max(0, ...rows.map(valueOf));
    at("head").replaceChildren(...head());
    at("rows").replaceChildren(...rows.map((row) => line(row, named(row), most, null)));
    at("sums").replaceChildren(...Object.entries(SUMS).filter(([part]) => told.sums[part])
      .map(([part, words]) => line(told.sums[part], words, most, part)));
    at("announce").textContent =
      `${rows.length} territories, ${told.measures[state.measure]}, ${told.periods[state.period]}`;
  }

  function fill(select, entries, chosen, pick) {
    select.append(...entries.map(([value, words]) => el("option", { value }, words)));
    select.value = chosen;
    select.addEventListener("change", () => { pick(select.value); draw(); });
  }

  at("title").textContent = told.title;
  at("lead").textContent = `Hectares of ${told.kind === "mined" ? "mined ground" : "footprints, larger than the mined ground itself"}; ${told.qualifier}.`;
  fill(at("measure"), Object.entries(told.measures), state.measure, (value) => { state.measure = value; });
  fill(at("period"), told.periods.map((period, i) => [i, period]), state.period, (value) => { state.period = Number(value); });
  const anyState = (word) => told.rows.some((row) => row.state.includes(word));
  at("notes").textContent = [
    "A site across a border is counted on both sides with what lies there. Ground that nobody could look at is not counted as free of mines.",
    "– means unknown; of the first period nobody knows what is new in it.",
    anyState("no site given") ? "No site given: nobody told whether the territory was looked at." : "",
    anyState("not looked") ? "Not looked: nobody looked at the territory, which may have mines." : "",
    anyOverlap ? "† marks territories that overlap others: their hectares cannot be added up; the row below counts that ground once." : "",
  ].join(" ");
  const button = at("theme");
  const theme = () => { button.textContent = app.theme.current() === "dark" ? "Light" : "Dark"; };
  button.addEventListener("click", () => app.theme.toggle());
  app.theme.onChange(theme);
  theme();
  draw();
})(window.minetraceApp);
