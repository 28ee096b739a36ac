/* The state of the page: which period, which site, where. Everything is drawn from it. */
(function (app) {
  "use strict";

  const { el, svg } = app;
  const data = window.minetraceData;
  const STEP_MS = 1500;
  const state = { period: data.periods.length - 1, site: null };
  const slider = document.getElementById("slider");
  const play = document.getElementById("play");
  const notice = document.getElementById("notice");
  let timer = null;
  let view = null;
  let tickStep = 1; // one label every so many periods, by their width

  /* --- the address: #period=2021&site=A1&at=9.5/-12.7/-69.9 ------------------------------ */

  function readAddress() {
    const words = new URLSearchParams(location.hash.slice(1));
    const period = data.periods.findIndex((p) => p.label === words.get("period"));
    const site = data.sites.findIndex((s) => s.id === words.get("site"));
    const at = (words.get("at") || "").split("/").map(Number);
    return {
      period: period < 0 ? null : period,
      site: site < 0 ? null : site,
      view: at.length === 3 && at.every(Number.isFinite) && Math.abs(at[1]) <= 85
        ? { zoom: at[0], lat: at[1], lng: at[2] } : null,
    };
  }

  function writeAddress() {
    const words = new URLSearchParams({ period: data.periods[state.period].label });
    if (state.site !== null) words.set("site", data.sites[state.site].id);
    if (view) {
      const { lng, lat } = view.map.getCenter();
      words.set("at", [view.map.getZoom().toFixed(2), lat.toFixed(5), lng.toFixed(5)].join("/"));
    }
    const hash = "#" + words.toString().replaceAll("%2F", "/");
    if (hash !== location.hash) history.replaceState(null, "", hash);
  }

  /* --- changing it ---------------------------------------------------------------------- */

  function update(change) {
    Object.assign(state, change);
    drawTimeline();
    drawPanel(state.period, state.site);
    if (view && view.ready) view.show(state.period, state.site);
    writeAddress();
  }

  function setPeriod(period) {
    update({ period: Math.max(0, Math.min(data.periods.length - 1, period)) });
  }

  function select(site, { move = false } = {}) {
    update({ site });
    document.querySelector(".panel").scrollTop = 0;
    if (site === null) return;
    document.getElementById("site-name").focus({ preventScroll: true });
    if (move && view) view.goTo(site);
  }

  const drawPanel = app.panel(data, {
    setPeriod,
    select: (site) => select(site, { move: site !== null }),
    goTo: (site) => view && view.goTo(site),
  });

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

  const isBlind = (period) => !(period.looked > 0) || period.hectares === null;

  function drawTimeline() {
    const period = data.periods[state.period];
    const blind = isBlind(period);
    slider.value = String(state.period);
    slider.setAttribute("aria-valuetext", period.label + (blind ? ", not looked" : ""));
    document.querySelectorAll("#ticks li").forEach((tick, i) => {
      tick.classList.toggle("current", i === state.period);
      tick.classList.toggle("near", i !== state.period && Math.abs(i - state.period) < tickStep);
    });
    notice.hidden = !blind;
    notice.textContent = blind ? `${period.label} was not looked at. Hatched outlines are from other periods.` : "";
  }

  function layTicks() {
    const last = data.periods.length - 1;
    const ticks = document.getElementById("ticks");
    const room = ticks.clientWidth / Math.max(1, data.periods.length);
    tickStep = Math.ceil((Math.max(...data.periods.map((p) => p.label.length)) * 8 + 8) / room);
    ticks.replaceChildren(...data.periods.map((period, i) =>
      el("li", {
        class: (isBlind(period) ? "unlooked" : "") + ((last - i) % tickStep ? " silent" : ""),
        style: { left: `${last ? (100 * i) / last : 0}%` },
      }, el("span", { class: "mark", style: { background: isBlind(period) ? null : data.palette[i] } }),
      el("span", { class: "tick-label" }, period.label))));
    drawTimeline();
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const busy = event.target.closest("input, .maplibregl-canvas, summary");
    const by = { ",": -1, ".": 1, ...(busy ? {} : { ArrowLeft: -1, ArrowRight: 1 }) }[event.key];
    if (by) {
      setPlaying(false);
      setPeriod(state.period + by);
      event.preventDefault();
    } else if (event.key === "Escape" && state.site !== null) select(null);
  }

  /* --- begin ---------------------------------------------------------------------------- */

  const asked = readAddress();
  if (asked.period !== null) state.period = asked.period;
  state.site = asked.site;
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
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", () => {
    const { period, site, view: at } = readAddress();
    update({ period: period === null ? state.period : period, site });
    if (at && view) view.map.jumpTo({ center: [at.lng, at.lat], zoom: at.zoom });
  });
  new ResizeObserver(layTicks).observe(document.getElementById("ticks"));
  setPlaying(false);
  layTicks();
  update({});

  let ready;
  try {
    view = app.mapView(document.getElementById("map"), {
      data, view: asked.view, onMove: writeAddress, onPick: (site) => select(site),
    });
    ready = view.loaded.then(() => {
      view.ready = true;
      view.show(state.period, state.site);
      return new Promise((resolve) => view.map.once("idle", () => resolve()));
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
    get state() {
      return {
        period: data.periods[state.period].label,
        site: state.site === null ? null : data.sites[state.site].id,
        playing: timer !== null,
      };
    },
    setPeriod: (label) => setPeriod(data.periods.findIndex((p) => p.label === label)),
    select: (id) => select(id === null ? null : data.sites.findIndex((s) => s.id === id), { move: true }),
  };
})(window.minetraceApp);
