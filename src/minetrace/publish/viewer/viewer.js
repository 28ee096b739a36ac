/* The state of the page: which period, which one beside it, which site, where. All is drawn from it. */
(function (app) {
  "use strict";

  const { el, svg } = app;
  const data = window.minetraceData;
  const STEP_MS = 1500;
  const sites = app.sites(data);
  data.first = (number) => sites.peek(number).first;
  data.tallies = window.minetraceTallies;
  const state = { period: data.periods.length - 1, before: null, site: null, territory: null }; // site: a record
  const byId = (id) => document.getElementById(id);
  const slider = byId("slider");
  const play = byId("play");
  const notice = byId("notice");
  let timer = null;
  let view = null;
  let tickStep = 1; // one label every so many periods, by their width
  let wanted = 0; // the last site asked for: its record may come late

  const placeOf = (label) => data.periods.findIndex((period) => period.label === label);
  const orNull = (place) => (place < 0 ? null : place);

  const boxOf = (unit) => (data.tallies && unit !== null && Object.hasOwn(data.tallies.boxes, unit) ? data.tallies.boxes[unit] : null);

  /* --- the address: #period=2021&before=2019&split=0.50&site=A1&at=9.5/-12.7/-69.9 -------- */

  function readAddress() {
    const words = new URLSearchParams(location.hash.slice(1));
    const at = (words.get("at") || "").split("/").map(Number);
    const split = Number(words.get("split"));
    return {
      period: orNull(placeOf(words.get("period"))),
      before: orNull(placeOf(words.get("before"))),
      split: words.has("split") && split >= 0 && split <= 1 ? split : 0.5,
      site: words.get("site"),
      territory: boxOf(words.get("territory")) ? words.get("territory") : null,
      view: at.length === 3 && at.every(Number.isFinite) && Math.abs(at[1]) <= 85
        ? { zoom: at[0], lat: at[1], lng: at[2] } : null,
    };
  }

  function writeAddress() {
    const words = new URLSearchParams({ period: data.periods[state.period].label });
    if (state.before !== null) {
      words.set("before", data.periods[state.before].label);
      words.set("split", swipe.split.toFixed(2));
    }
    if (state.site) words.set("site", state.site.id);
    if (state.territory !== null) words.set("territory", state.territory);
    if (view) {
      const { lng, lat } = view.map.getCenter();
      words.set("at", [view.map.getZoom().toFixed(2), lat.toFixed(5), lng.toFixed(5)].join("/"));
    }
    for (const [word, value] of Object.entries(app.moreWords ? app.moreWords() : {})) words.set(word, value);
    const hash = "#" + words.toString().replaceAll("%2F", "/");
    if (hash !== location.hash) history.replaceState(null, "", hash);
  }

  /* --- changing it ---------------------------------------------------------------------- */

  function update(change) {
    Object.assign(state, change);
    drawTimeline();
    drawPanel(state.period, state.site, state.territory);
    swipe.show(state.before, state.period);
    if (view && view.ready) view.show(state.period, state.before, state.site, state.territory);
    writeAddress();
    document.dispatchEvent(new Event("minetrace:shown"));
  }

  function setPeriod(period) {
    update({ period: Math.max(0, Math.min(data.periods.length - 1, period)) });
    if (timer === null) byId("announce").textContent = app.announcement(data, state.period);
  }

  function compare(before) {
    update({ before });
  }

  async function select(number, { move = false } = {}) {
    const mine = ++wanted;
    const site = number === null ? null : await sites.get(number);
    if (mine !== wanted) return;
    const from = state.site;
    update({ site });
    document.querySelector(".panel").scrollTop = 0;
    if (site) {
      byId("site-name").focus({ preventScroll: true });
      if (move && view) view.goTo(site.box);
    } else if (from) {
      const row = [...document.querySelectorAll(".site-row")].find((one) => one.dataset.site === from.id);
      (row || document.querySelector(".panel")).focus({ preventScroll: !row });
    }
  }

  function choose(territory) {
    update({ territory });
    if (view && view.ready) view.fit(boxOf(territory) || data.bounds);
    const row = [...document.querySelectorAll("[data-territory]")].find((one) => one.dataset.territory === territory);
    if (row) row.focus({ preventScroll: true });
    byId("announce").textContent = territory === null ? "All territories" : `${row.textContent} on the map`;
  }

  async function selectNamed(id, options) {
    const number = id === null ? null : await sites.find(id);
    if (id === null || number !== null) await select(number, options);
  }

  const drawPanel = app.panel(data, sites, {
    setPeriod,
    select: (number) => select(number, { move: number !== null }),
    choose,
    goTo: (site) => view && view.goTo(site.box),
  });

  const swipe = app.swipe(byId("stage"), {
    data,
    onMove: (split) => {
      if (view) view.cut(split);
      if (state.before !== null) writeAddress();
    },
    onPick: compare,
  });

  app.search(byId("search"), {
    data, sites, period: () => state.period,
    select: (number) => select(number, { move: true }),
    lookAt: (lng, lat) => view && view.lookAt(lng, lat),
  });

  app.files(byId("files"), { data, sites, state: () => state, picture: () => view && view.ready && view.picture() });

  /* --- time ----------------------------------------------------------------------------- */

  function icon(shape) {
    return svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, svg("path", { d: shape }));
  }

  function setPlaying(on) {
    clearInterval(timer);
    timer = on ? setInterval(step, STEP_MS) : null;
    play.setAttribute("aria-label", on ? "Pause" : "Play");
    play.replaceChildren(icon(on ? "M4 3h3v10H4zM9 3h3v10H9z" : "M5 2.8v10.4L13.2 8z"));
  }

  function step() {
    if (state.period + 1 < data.periods.length) setPeriod(state.period + 1);
    if (state.period + 1 >= data.periods.length) setPlaying(false);
  }

  function blindWords() {
    const blind = [...new Set([state.before, state.period])].filter((at) => at !== null && app.isBlind(data.periods[at]));
    if (!blind.length) return "";
    const labels = blind.map((at) => data.periods[at].label).join(" and ");
    const dashed = blind.some((at) => data.periods[at].inferred) && "dashed ones inferred";
    const hatched = blind.some((at) => data.periods[at].hatched) && "hatched outlines are from other periods";
    const words = [hatched, dashed].filter(Boolean).join(", ");
    return `${labels} ${blind.length > 1 ? "were" : "was"} not looked at.${words && ` ${words[0].toUpperCase()}${words.slice(1)}.`}`;
  }

  function lentWords() {
    const shown = [...new Set([state.before, state.period])].filter((at) => at !== null);
    const lent = shown.some((at) => (data.lent || {})[data.periods[at].label]);
    return lent ? "Grey, hatched ground in the picture is as the period before or after saw it." : "";
  }

  function drawTimeline() {
    const period = data.periods[state.period];
    const blind = app.isBlind(period);
    slider.value = String(state.period);
    slider.setAttribute("aria-valuetext", period.label + (blind ? ", not looked" : ""));
    byId("compare").setAttribute("aria-pressed", String(state.before !== null));
    document.querySelectorAll("#ticks li").forEach((tick, i) => {
      tick.classList.toggle("current", i === state.period);
      tick.classList.toggle("before", i === state.before);
      tick.classList.toggle("near", i !== state.period && Math.abs(i - state.period) < tickStep);
    });
    const words = `${blindWords()} ${lentWords()}`.trim();
    notice.hidden = !words;
    notice.textContent = words;
  }

  function layTicks() {
    const last = data.periods.length - 1;
    const ticks = byId("ticks");
    const room = ticks.clientWidth / Math.max(1, data.periods.length);
    tickStep = Math.ceil((Math.max(...data.periods.map((p) => p.label.length)) * 8 + 8) / room);
    ticks.replaceChildren(...data.periods.map((period, i) =>
      el("li", {
        class: (app.isBlind(period) ? "unlooked" : "") + ((last - i) % tickStep ? " silent" : ""),
        style: { left: `${last ? (100 * i) / last : 0}%` },
      }, el("span", { class: "mark", style: { background: app.isBlind(period) ? null : data.palette[i] } }),
      el("span", { class: "tick-label" }, period.label))));
    drawTimeline();
  }

  /* The period to compare with: the first that was looked at, or the one before. */
  function comparable() {
    const seen = data.periods.findIndex((period, i) => i !== state.period && !app.isBlind(period));
    return seen >= 0 ? seen : Math.max(0, state.period - 1);
  }

  const toggleCompare = () => compare(state.before === null ? comparable() : null);

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input[type=text], select");
    if (event.key === "Escape" && !typing && state.site) select(null);
    if (typing) return;
    const busy = event.target.closest("input, .maplibregl-canvas, summary");
    const by = { ",": -1, ".": 1, ...(busy ? {} : { ArrowLeft: -1, ArrowRight: 1 }) }[event.key];
    if (by) {
      setPlaying(false);
      setPeriod(state.period + by);
    } else if (event.key === "/") byId("find").focus();
    else if (event.key === "c" && data.periods.length > 1) toggleCompare();
    else return;
    event.preventDefault();
  }

  /* --- light and dark, and paper -------------------------------------------------------- */

  function drawTheme() {
    const dark = app.theme.current() === "dark";
    byId("theme").setAttribute("aria-pressed", String(dark));
    byId("theme").replaceChildren(icon(dark
      ? "M8 4.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM7.3.8h1.4v2H7.3zM7.3 13.2h1.4v2H7.3zM.8 7.3h2v1.4h-2zM13.2 7.3h2v1.4h-2z"
      : "M13.8 9.9A6 6 0 0 1 6.1 2.2a6.1 6.1 0 1 0 7.7 7.7z"));
  }

  function beforePrint() {
    if (!view || !view.ready) return;
    byId("print").src = app.poster(data, view.picture(), state).toDataURL("image/jpeg", 0.9);
    byId("print").hidden = false;
  }

  /* --- begin ---------------------------------------------------------------------------- */

  const begun = new URLSearchParams(location.hash.slice(1)); // words of others among them
  const asked = readAddress();
  if (asked.period !== null) state.period = asked.period;
  state.before = asked.before;
  state.territory = asked.territory;
  slider.max = String(data.periods.length - 1);
  document.querySelector(".timeline").hidden = data.periods.length < 2;
  slider.addEventListener("input", () => {
    setPlaying(false);
    setPeriod(Number(slider.value));
  });
  play.addEventListener("click", () => {
    if (timer === null && state.period === data.periods.length - 1) setPeriod(0);
    setPlaying(timer === null);
  });
  byId("compare").replaceChildren(
    icon("M1.5 3h5.3v10H1.5zM9.2 3h5.3v10H9.2zM7.6 1.5h.8v13h-.8z"), el("span", {}, "Compare"));
  byId("compare").addEventListener("click", toggleCompare);
  byId("theme").addEventListener("click", () => app.theme.toggle());
  app.theme.onChange(drawTheme);
  drawTheme();
  document.addEventListener("keydown", onKey);
  window.addEventListener("beforeprint", beforePrint);
  window.addEventListener("afterprint", () => { byId("print").hidden = true; });
  window.addEventListener("hashchange", () => {
    const { period, before, split, site, territory, view: at } = readAddress();
    update({ period: period === null ? state.period : period, before, territory });
    swipe.move(split);
    if (!state.site || state.site.id !== site) selectNamed(site);
    if (at && view) view.map.jumpTo({ center: [at.lng, at.lat], zoom: at.zoom });
  });
  new ResizeObserver(layTicks).observe(byId("ticks"));
  setPlaying(false);
  layTicks();
  swipe.move(asked.split);
  update({});
  const chosen = asked.site ? selectNamed(asked.site) : Promise.resolve();

  let ready;
  try {
    view = app.mapView(byId("map"), byId("map-before"), {
      data, view: asked.view, onMove: writeAddress, onPick: (number) => app.busy || select(number),
    });
    view.cut(asked.split);
    ready = Promise.all([view.loaded, chosen]).then(() => {
      view.ready = true;
      view.show(state.period, state.before, state.site, state.territory);
      if (state.territory !== null && !asked.view) view.fit(boxOf(state.territory));
      return view.settled();
    });
  } catch (problem) {
    notice.hidden = false;
    notice.textContent = "This browser cannot draw the map (WebGL is off). Figures and history still work.";
    ready = Promise.reject(problem);
    ready.catch(() => {});
  }

  /** For scripts and tests: labels and site ids, never places in a list. */
  window.minetrace = {
    map: view && view.map,
    ready,
    settled: () => view.settled(),
    begun,
    writeAddress,
    poster: () => app.poster(data, view.picture(), state),
    get state() {
      return {
        period: data.periods[state.period].label,
        before: state.before === null ? null : data.periods[state.before].label,
        split: swipe.split,
        site: state.site ? state.site.id : null,
        territory: state.territory,
        playing: timer !== null,
      };
    },
    setPeriod: (label) => setPeriod(placeOf(label)),
    compare: (label) => compare(label === null ? null : placeOf(label)),
    select: (id) => selectNamed(id, { move: true }),
  };
})(window.minetraceApp);
