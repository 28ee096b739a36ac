/* Drawing a polygon, corner by corner; what it holds is asked of the service. */
(function (app) {
  "use strict";

  const { el } = app;
  const MOST_CORNERS = 200;
  const CLOSE_PX = 12;
  const round = (place) => place.map((degrees) => Number(degrees.toFixed(5)));

  const empty = { type: "FeatureCollection", features: [] };
  const feature = (geometry) => ({ type: "Feature", properties: {}, geometry });

  /** Corners as the address holds them, and back; null where they are none. */
  app.cornersToText = (corners) => corners.map((corner) => corner.join(",")).join(";");
  app.textToCorners = (text) => {
    const corners = (text || "").split(";").map((corner) => corner.split(",").map(Number));
    const sound = corners.length >= 3 && corners.length <= MOST_CORNERS
      && corners.every(([lng, lat, more]) => Math.abs(lng) <= 180 && Math.abs(lat) <= 90 && more === undefined);
    return sound ? corners : null;
  };

  /** options: map, onChange(corners or null) when a polygon is whole or gone, onMode(drawing). */
  app.draw = ({ map, onChange, onMode }) => {
    let corners = [];
    let whole = false;
    let drawing = false;

    function shapes(pointer) {
      const line = pointer && drawing ? [...corners, pointer] : corners;
      const features = corners.map((corner) => feature({ type: "Point", coordinates: corner }));
      if (whole) features.push(feature({ type: "Polygon", coordinates: [[...corners, corners[0]]] }));
      else if (line.length > 1) features.push(feature({ type: "LineString", coordinates: line }));
      return { type: "FeatureCollection", features };
    }

    function lay() {
      if (map.getSource("drawn")) return;
      const blue = "#0b6571";
      map.addSource("drawn", { type: "geojson", data: empty });
      map.addLayer({ id: "drawn-fill", type: "fill", source: "drawn", filter: ["==", ["geometry-type"], "Polygon"],
        paint: { "fill-color": blue, "fill-opacity": 0.12 } });
      map.addLayer({ id: "drawn-casing", type: "line", source: "drawn", layout: { "line-join": "round" },
        paint: { "line-color": "#ffffff", "line-width": 4.5 } });
      map.addLayer({ id: "drawn-line", type: "line", source: "drawn", layout: { "line-join": "round" },
        paint: { "line-color": blue, "line-width": 2.2 } });
      map.addLayer({ id: "drawn-corners", type: "circle", source: "drawn", filter: ["==", ["geometry-type"], "Point"],
        paint: { "circle-color": "#ffffff", "circle-radius": 4.5, "circle-stroke-color": blue, "circle-stroke-width": 2 } });
    }

    function show(pointer) {
      lay();
      map.getSource("drawn").setData(shapes(pointer));
    }

    function mode(on) {
      drawing = on;
      app.busy = on;
      map.getCanvas().style.cursor = on ? "crosshair" : "";
      if (on) map.doubleClickZoom.disable();
      else setTimeout(() => map.doubleClickZoom.enable(), 50);
      onMode(on);
    }

    function finish() {
      if (corners.length < 3) return;
      whole = true;
      mode(false);
      show();
      onChange(corners);
    }

    function closes(point) {
      if (corners.length < 3) return false;
      const first = map.project(corners[0]);
      return Math.hypot(first.x - point.x, first.y - point.y) < CLOSE_PX;
    }

    map.on("click", (event) => {
      if (!drawing) return;
      if (closes(event.point)) {
        finish();
        return;
      }
      if (corners.length < MOST_CORNERS) corners.push(round([event.lngLat.lng, event.lngLat.lat]));
      show();
    });
    map.on("mousemove", (event) => {
      if (!drawing) return;
      map.getCanvas().style.cursor = "crosshair";
      show([event.lngLat.lng, event.lngLat.lat]);
    });
    map.on("dblclick", () => {
      if (!drawing) return;
      corners.pop(); // the second click of two
      finish();
    });

    return {
      get drawing() { return drawing; },
      get corners() { return whole ? corners : null; },
      start() {
        corners = [];
        whole = false;
        show();
        mode(true);
        onChange(null);
      },
      finish,
      clear() {
        corners = [];
        whole = false;
        if (drawing) mode(false);
        show();
        onChange(null);
      },
      /** A polygon that somebody else drew, such as the address. */
      set(given) {
        corners = given.map(round);
        finish();
      },
      /** What is seen now, for those who cannot point. */
      frame() {
        const { _sw: sw, _ne: ne } = map.getBounds();
        corners = [[sw.lng, sw.lat], [ne.lng, sw.lat], [ne.lng, ne.lat], [sw.lng, ne.lat]].map(round);
        finish();
      },
    };
  };

  /** What the service says of a polygon, as a table; every figure with how sure it is. */
  app.drawnTable = (told, onClose) => {
    const column = told.extent === "mined" ? "area_ha" : "footprint_ha";
    const heading = told.extent === "mined" ? "Mined" : "Footprint";
    const blank = (row) => (row.looked_share === null && row.sites_not_looked === 0
      ? [el("span", { class: "muted" }, "no outline")] // nobody says whether they looked
      : [el("span", { class: "key-hatch" }), "not looked"]);
    const figure = (row) => (row[column] === null ? blank(row)
      : [el("span", { "data-hectares": row[column] }, app.hectares(row[column])),
        row.sites_not_looked > 0 && el("span", { class: "muted small" }, ` and ${app.count(row.sites_not_looked, "site", "sites")} not looked at`)]);
    const looked = (row) => (row.looked_share === null ? "not told" : app.percent(row.looked_share));
    const rows = told.periods.map((row) => el("tr", { "data-period": row.period },
      el("th", { scope: "row" }, row.period), el("td", {}, figure(row)), el("td", {}, looked(row))));
    const sure = told.periods.filter((row) => row.estimated).map((row) => el("p", { class: "estimated small" },
      `${row.period}: ${app.hectares(row.estimated.value)} (${app.hectares(row.estimated.low)} to ${app.hectares(row.estimated.high)}) ${row.interval}`));
    return el("section", { class: "block drawn", "aria-label": "The polygon drawn" },
      el("div", { class: "drawn-head" }, el("h2", { tabindex: "-1", id: "drawn-name" }, "Your polygon"),
        el("button", { type: "button", class: "quiet", id: "drawn-clear", onclick: onClose }, "Remove")),
      el("p", { class: "muted small" }, `${app.hectares(told.polygon_ha)} of ground`
        + (told.region_share === null ? "" : `, ${app.percent(told.region_share)} of it in the region that was mapped`)),
      el("table", { class: "drawn-table" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Period"),
          el("th", { scope: "col" }, told.counts === "new" ? `${heading}, new` : heading), el("th", { scope: "col" }, "Looked at"))),
        el("tbody", {}, rows)),
      el("p", { class: "qualifier" }, "Mapped, no interval. Outlines are cut at the polygon’s edge."), ...sure);
  };
})(window.minetraceApp);
