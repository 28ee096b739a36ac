/* Words, numbers and elements. Text from data enters the page as text nodes only. */
(function (app) {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "style") Object.assign(node.style, value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(2)) {
      if (child !== null && child !== undefined && child !== false) node.append(child);
    }
    return node;
  }

  app.el = (tag, attributes, ...children) =>
    fill(document.createElement(tag), attributes, children);
  app.svg = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  /** Hectares with about three figures; more would claim too much. */
  app.hectares = (value) => {
    const digits = value === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
    const round = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return value.toLocaleString("en", round) + " ha";
  };

  app.percent = (share) => {
    const value = 100 * share;
    if (value > 0 && value < 1) return "under 1\u00a0%";
    if (value > 99 && value < 100) return "over 99\u00a0%";
    return Math.round(value) + "\u00a0%";
  };

  app.count = (n, one, many) => n.toLocaleString("en") + " " + (n === 1 ? one : many);

  /** Next to nothing was looked at, and nothing found: that is no zero. */
  app.isBlind = (period) =>
    (period.looked !== null && !(period.looked > 0)) || period.hectares === null;

  app.words = (name) => name.replaceAll("_", " ");

  const DAY = { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" };
  app.day = (iso) => new Date(iso + "T00:00:00Z").toLocaleDateString("en-GB", DAY);

  app.swatch = (colour) => app.el("span", { class: "swatch", style: { background: colour } });
})((window.minetraceApp = window.minetraceApp || {}));
