/* How things look on the map: colours, widths and hatching, as layers for MapLibre. */
(function (app) {
  "use strict";

  const MARKS = "0123456789abcdefghijklmnopqrstuvwxyz";
  const STILL = { duration: 0 };
  const TONES = {
    dark: { ground: "#15181a", hatch: "#7f8a8f", border: "#c9d1d3", veil: 0.62 },
    light: { ground: "#e9e7e1", hatch: "#8b8f8d", border: "#3b4447", veil: 0.62 },
  };
  const DARK_EDGE = "#14161a";

  function channels(colour) {
    return [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  }

  function lightness(colour) {
    const [r, g, b] = channels(colour).map((value) => value / 255);
    return 0.3 * r + 0.59 * g + 0.11 * b;
  }

  const clear = (colour, alpha) => `rgba(${channels(colour).join(",")},${alpha})`;

  /* Slanted lines that meet themselves at the edges of a square. */
  function hatch(colour, line) {
    const side = 16;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    const pen = canvas.getContext("2d");
    pen.strokeStyle = colour;
    pen.lineWidth = line;
    for (const shift of [-side, 0, side]) {
      pen.beginPath();
      pen.moveTo(shift - 2, side + 2);
      pen.lineTo(shift + side + 2, -2);
      pen.stroke();
    }
    return pen.getImageData(0, 0, side, side);
  }

  app.hatches = () => ({
    hatch: hatch(TONES[app.theme.current()].hatch, 1.4),
    "hatch-strong": hatch("#5d6365", 2.6),
  });
  app.tone = () => TONES[app.theme.current()];

  const width = (at8, at14) => ["interpolate", ["linear"], ["zoom"], 8, at8, 14, at14];
  const radius = (full) => ["interpolate", ["linear"], ["zoom"], 4, 0.55 * full, 10, full];
  const join = { "line-join": "round", "line-cap": "round" };

  /** By first period; edge is what is drawn around a colour so that it stands out on any ground. */
  app.colours = (data) => {
    const byFirst = (colours) =>
      ["match", ["get", "first"], ...colours.flatMap((colour, i) => [i, colour]), "#888888"];
    const edges = data.palette.map((colour) => (lightness(colour) < 0.42 ? "#ffffff" : DARK_EDGE));
    return {
      line: byFirst(data.palette),
      tint: byFirst(data.palette.map((colour) => clear(colour, 0.07))),
      edge: byFirst(edges),
      casing: byFirst(edges.map((colour) => clear(colour, 0.55))),
    };
  };

  /** What lies under the outlines, and two marks that later layers are put before. */
  app.groundLayers = () => {
    const tone = app.tone();
    const mark = (id) => ({ id, type: "background", layout: { visibility: "none" } });
    return [
      { id: "ground", type: "background", paint: { "background-color": tone.ground } },
      { id: "unlooked", type: "fill", source: "region", paint: { "fill-pattern": "hatch" } },
      { id: "outside", type: "fill", source: "outside",
        paint: { "fill-color": tone.ground, "fill-opacity": tone.veil, "fill-antialias": false } },
      { id: "border", type: "line", source: "region",
        paint: { "line-color": tone.border, "line-width": 1, "line-dasharray": [4, 3] } },
      mark("above-border"),
      mark("above-outlines"),
      mark("above-dots"),
    ];
  };

  const of = (state) => ["==", ["get", "state"], state];
  const byState = (unseen, seen, inferred) => ["case", of(1), unseen, of(3), inferred, seen];

  /** Outlines of a period. They are switched by their opacity, so that nothing is cut anew. */
  app.outlineLayers = (at, from, colours, { hatched, inferred }) => [
    { id: `fill@${at}`, type: "fill", ...from,
      paint: { "fill-color": byState("rgba(244,244,241,0.5)", colours.tint, "rgba(0,0,0,0)"), "fill-antialias": false,
        "fill-opacity": 0, "fill-opacity-transition": STILL } },
    hatched && { id: `hatch@${at}`, type: "fill", ...from, filter: of(1),
      paint: { "fill-pattern": "hatch-strong", "fill-opacity": 0, "fill-opacity-transition": STILL } },
    { id: `casing@${at}`, type: "line", ...from, layout: join, minzoom: 9,
      paint: { "line-color": byState("rgba(244,244,241,0.6)", colours.casing, colours.casing), "line-width": width(2.2, 4),
        "line-opacity": 0, "line-opacity-transition": STILL } },
    inferred && { id: `inferred@${at}`, type: "line", ...from, filter: of(3),
      paint: { "line-color": colours.line, "line-width": width(1.3, 2.3), "line-dasharray": [3, 2],
        "line-opacity": 0, "line-opacity-transition": STILL } },
    { id: `line@${at}`, type: "line", ...from, layout: join, filter: ["!", of(3)],
      paint: { "line-color": byState("#5d6365", colours.line, colours.line), "line-width": width(1.3, 2.3),
        "line-opacity": 0, "line-opacity-transition": STILL } },
  ].filter(Boolean);

  /* A mark in base 36 at the place of a period. */
  const mark = (name, at) => ["index-of", ["slice", ["get", name], at, at + 1], MARKS];

  /** Dots of a period, for sites that are too small to be seen as outlines. */
  app.dotLayers = (at, from, colours, { hatched, inferred }) => {
    const dots = (id, name, colour, edge, full) => ({
      id: `${id}@${at}`, type: "circle", ...from,
      filter: ["all", ["<", ["zoom"], mark(name, at)], [">=", ["zoom"], mark("since", at)]],
      paint: { "circle-color": colour, "circle-radius": radius(full), "circle-stroke-width": 1.2,
        "circle-stroke-color": edge, "circle-opacity": 0, "circle-stroke-opacity": 0,
        "circle-opacity-transition": STILL, "circle-stroke-opacity-transition": STILL },
    });
    return [
      (hatched || inferred) && dots("dots-unseen", "unseen", "#8b8f8d", "#f4f4f2", 3.5),
      dots("dots", "seen", colours.line, colours.edge, 4),
    ].filter(Boolean);
  };

  /** Borders of territories, and the one that was chosen. */
  app.territoryLayers = () => {
    const line = (id, colour, size, more = {}) => ({
      id, type: "line", source: "territories", layout: join, paint: { "line-color": colour, "line-width": size }, ...more });
    const none = { filter: app.ofTerritory(null) };
    return [
      line("territory-casing", "rgba(20,22,26,0.45)", 2.6), line("territory", "#f4f4f1", 1.1),
      line("territory-chosen-casing", DARK_EDGE, 5, none), line("territory-chosen", "#ffffff", 2.6, none),
    ];
  };
  app.ofTerritory = (unit) => ["==", ["get", "unit"], unit === null ? "" : unit];

  const OPACITIES = { fill: ["fill-opacity"], line: ["line-opacity"], circle: ["circle-opacity", "circle-stroke-opacity"] };
  app.setOpacity = (map, layer, value) => {
    for (const name of OPACITIES[layer.type]) map.setPaintProperty(layer.id, name, value);
  };

  /** The chosen site: as it is, or dotted where it was looked for and not there. */
  app.chosenLayers = (from, colour, gone, number) => {
    const filter = ["==", ["get", "site"], number];
    const line = (id, tone, size, more = {}) => ({
      id, type: "line", ...from, filter, layout: join, paint: { "line-color": tone, "line-width": size, ...more } });
    return gone
      ? [line("chosen-line", "#ffffff", 2, { "line-dasharray": [0.1, 2] })]
      : [line("chosen-casing", DARK_EDGE, width(6, 8.5)), line("chosen-halo", "#ffffff", width(4.4, 6.4)),
        line("chosen-line", colour, width(2, 3))];
  };
})((window.minetraceApp = window.minetraceApp || {}));
