/* Find a site by its name, a period, the largest, or a place by its coordinates. */
(function (app) {
  "use strict";

  const { el } = app;
  const MOST = 8;
  const COORDINATES = /^\s*(-?\d+(?:\.\d+)?)\s*°?\s*([NS])?\s*[,; ]\s*(-?\d+(?:\.\d+)?)\s*°?\s*([EW])?\s*$/i;

  /** [lat, lon] from text such as "-12.81, -69.97" or "12.81 S, 69.97 W", or null. */
  app.coordinates = (text) => {
    const found = COORDINATES.exec(text);
    if (!found) return null;
    const [, lat, southing, lon, westing] = found;
    const place = [
      (/s/i.test(southing || "") ? -1 : 1) * Number(lat), (/w/i.test(westing || "") ? -1 : 1) * Number(lon)];
    return Math.abs(place[0]) <= 90 && Math.abs(place[1]) <= 180 ? place : null;
  };

  /** options: data, sites, period() shown, select(number), lookAt(lng, lat). */
  app.search = (root, { data, sites, period, select, lookAt }) => {
    const input = el("input", { type: "text", id: "find", role: "combobox", autocomplete: "off", spellcheck: "false",
      "aria-label": "Find a site, a period or a place", "aria-expanded": "false", "aria-controls": "found",
      "aria-autocomplete": "list", placeholder: "Site, period, “largest”, or lat, lon" });
    const list = el("ul", { id: "found", role: "listbox", "aria-label": "Found", hidden: true });
    const status = el("p", { class: "hidden-text", role: "status" });
    root.append(input, list, status);
    let options = []; // {go, node}
    let active = -1;
    let asked = 0;

    const ofSite = (number, note) => {
      const site = sites.peek(number);
      return { swatch: site.first, text: site.name || site.id, note, go: () => select(number) };
    };
    const sized = (number, at) => {
      const row = sites.peek(number).rows[at];
      return row && row.seen ? `${app.hectares(row.ha)} ${row.kind}` : "not looked";
    };

    async function answers(text) {
      const query = text.trim();
      const lower = query.toLowerCase();
      const place = app.coordinates(query);
      if (place) {
        return [{ text: `Go to ${place[0]}, ${place[1]}`, note: "latitude, longitude", go: () => lookAt(place[1], place[0]) }];
      }
      const at = period();
      if (!lower || "largest".startsWith(lower)) {
        return [{ heading: `Largest in ${data.periods[at].label}` },
          ...data.periods[at].leaders.slice(0, MOST).map((number) => ofSite(number, sized(number, at)))];
      }
      const begun = data.periods.flatMap((one, i) => (one.label.toLowerCase().startsWith(lower) ? [i] : []))
        .flatMap((i) => [
          { heading: `First seen in ${data.periods[i].label}: ${app.count(data.periods[i].begunCount, "site", "sites")}` },
          ...data.periods[i].begun.slice(0, MOST).map((number) => ofSite(number, sized(number, at)))]);
      const named = await sites.startingWith(query, MOST);
      const places = app.places ? await app.places(query) : [];
      return [...places, ...named.map((site) => ofSite(site.number, `first seen ${data.periods[site.first].label}`)), ...begun];
    }

    function mark(to) {
      active = options.length ? (to + options.length) % options.length : -1;
      options.forEach(({ node }, i) => node.setAttribute("aria-selected", String(i === active)));
      if (active < 0) input.removeAttribute("aria-activedescendant");
      else {
        input.setAttribute("aria-activedescendant", options[active].node.id);
        options[active].node.scrollIntoView({ block: "nearest" });
      }
    }

    function close() {
      asked += 1;
      options = [];
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }

    function take(option) {
      close();
      option.go();
    }

    function line(answer, number) {
      if (answer.heading) return el("li", { class: "found-heading", role: "presentation" }, answer.heading);
      return el("li", { role: "option", id: `found-${number}`, "aria-selected": "false",
        onpointerdown: (event) => event.preventDefault(), onclick: () => take(answer) },
      answer.swatch !== undefined && app.swatch(data.palette[answer.swatch]),
      el("span", { class: "found-text" }, answer.text), el("span", { class: "muted small" }, answer.note));
    }

    async function ask() {
      const mine = ++asked;
      const found = await answers(input.value).catch((problem) => [{ heading: problem.message }]);
      if (mine !== asked || document.activeElement !== input) return;
      const nodes = found.map(line);
      options = found.map((answer, i) => ({ ...answer, node: nodes[i] })).filter((option) => option.go);
      list.replaceChildren(...(nodes.length ? nodes : [el("li", { class: "found-heading", role: "presentation" }, "Nothing found")]));
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      status.textContent = options.length ? app.count(options.length, "suggestion", "suggestions") : "Nothing found";
      mark(input.value.trim() ? 0 : -1);
    }

    input.addEventListener("input", ask);
    input.addEventListener("focus", ask);
    input.addEventListener("blur", close);
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") mark(active + 1);
      else if (event.key === "ArrowUp") mark(active - 1);
      else if (event.key === "Enter" && options[Math.max(active, 0)]) take(options[Math.max(active, 0)]);
      else if (event.key === "Escape") {
        if (list.hidden) return;
        close();
        event.stopPropagation();
      } else return;
      event.preventDefault();
    });
  };
})((window.minetraceApp = window.minetraceApp || {}));
