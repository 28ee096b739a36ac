/* The map itself: pictures, outlines, hatching. It knows nothing of the page around it. */
(function (app) {
  "use strict";

  const KEPT_PERIODS = 8; // pictures of more periods than this are let go again
  const TOLERANCE_PX = 5;
  const EMPTY = { type: "FeatureCollection", features: [] };
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const theme = () =>
    dark.matches
      ? { ground: "#15181a", hatch: "#7f8a8f", border: "#c9d1d3", veil: 0.62 }
      : { ground: "#e9e7e1", hatch: "#8b8f8d", border: "#3b4447", veil: 0.62 };

  function lightness(colour) {
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
    return 0.3 * r + 0.59 * g + 0.11 * b;
  }

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

  function bounds(shape, box = [180, 90, -180, -90]) {
    const walk = (part) => {
      if (typeof part[0] === "number") {
        box[0] = Math.min(box[0], part[0]);
        box[1] = Math.min(box[1], part[1]);
        box[2] = Math.max(box[2], part[0]);
        box[3] = Math.max(box[3], part[1]);
      } else part.forEach(walk);
    };
    walk(shape.coordinates);
    return box;
  }

  /* The outline of a period, or the nearest one before it, or the nearest after it. */
  function borrowed(site, at) {
    const having = Object.keys(site.rows).map(Number).filter((i) => site.rows[i].shape);
    const before = having.filter((i) => i < at);
    const nearest = before.length ? Math.max(...before) : Math.min(...having);
    return site.rows[nearest].shape;
  }

  function features(data) {
    const outlines = [];
    const dots = [];
    data.sites.forEach((site, s) => {
      data.periods.forEach((period, at) => {
        const row = site.rows[at];
        const shape = (row && row.shape) || borrowed(site, at);
        const box = bounds(shape);
        const span = Math.max(box[2] - box[0], box[3] - box[1], 1e-6);
        const properties = {
          site: s,
          period: at,
          first: site.first,
          state: row && row.shape ? "seen" : row && row.seen ? "none" : "unseen",
          until: Math.log2((6 / span) * (360 / 512)), // the zoom at which it is 6 px wide
        };
        const centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
        outlines.push({ type: "Feature", properties, geometry: shape });
        dots.push({ type: "Feature", properties, geometry: { type: "Point", coordinates: centre } });
      });
    });
    return [outlines, dots].map((list) => ({ ...EMPTY, features: list }));
  }

  function layers(data) {
    const byFirst = (colours) => ["match", ["get", "first"], ...colours.flatMap((c, i) => [i, c]), "#888"];
    const colour = byFirst(data.palette);
    const casing = byFirst(data.palette.map((c) => (lightness(c) < 0.42 ? "#ffffff" : "#14161a")));
    const tone = theme();
    const width = (at8, at14) => ["interpolate", ["linear"], ["zoom"], 8, at8, 14, at14];
    const radius = (full) => ["interpolate", ["linear"], ["zoom"], 5, 0.6 * full, 10, full];
    const join = { "line-join": "round", "line-cap": "round" };
    return [
      { id: "ground", type: "background", paint: { "background-color": tone.ground } },
      { id: "unlooked", type: "fill", source: "region", paint: { "fill-pattern": "hatch" } },
      { id: "outside", type: "fill", source: "outside",
        paint: { "fill-color": tone.ground, "fill-opacity": tone.veil, "fill-antialias": false } },
      { id: "border", type: "line", source: "region",
        paint: { "line-color": tone.border, "line-width": 1, "line-dasharray": [4, 3] } },
      { id: "unseen-tint", type: "fill", source: "outlines",
        paint: { "fill-color": "#f4f4f1", "fill-opacity": 0.5 } },
      { id: "unseen-fill", type: "fill", source: "outlines", paint: { "fill-pattern": "hatch-strong" } },
      { id: "unseen-casing", type: "line", source: "outlines", layout: join,
        paint: { "line-color": "#f4f4f1", "line-opacity": 0.6, "line-width": width(2.2, 3.2) } },
      { id: "unseen-line", type: "line", source: "outlines", layout: join,
        paint: { "line-color": "#5d6365", "line-width": width(0.9, 1.4) } },
      { id: "seen-fill", type: "fill", source: "outlines",
        paint: { "fill-color": colour, "fill-opacity": 0.06 } },
      { id: "seen-casing", type: "line", source: "outlines", layout: join,
        paint: { "line-color": casing, "line-opacity": 0.55, "line-width": width(2.2, 4.2) } },
      { id: "seen-line", type: "line", source: "outlines", layout: join,
        paint: { "line-color": colour, "line-width": width(1.4, 2.4) } },
      { id: "gone-line", type: "line", source: "outlines", layout: { "line-cap": "round" },
        paint: { "line-color": "#ffffff", "line-width": 2, "line-dasharray": [0.1, 2] } },
      { id: "chosen-casing", type: "line", source: "outlines", layout: join,
        paint: { "line-color": "#14161a", "line-width": width(6, 8.5) } },
      { id: "chosen-halo", type: "line", source: "outlines", layout: join,
        paint: { "line-color": "#ffffff", "line-width": width(4.4, 6.4) } },
      { id: "chosen-line", type: "line", source: "outlines", layout: join,
        paint: { "line-color": colour, "line-width": width(2, 3) } },
      { id: "chosen-unseen", type: "line", source: "outlines",
        paint: { "line-color": "#5d6365", "line-width": width(1.6, 2.6), "line-dasharray": [2.4, 1.6] } },
      { id: "dots-unseen", type: "circle", source: "dots",
        paint: { "circle-color": "#8b8f8d", "circle-radius": radius(3.5), "circle-stroke-width": 1.2,
          "circle-stroke-color": "#f4f4f2" } },
      { id: "dots", type: "circle", source: "dots",
        paint: { "circle-color": colour, "circle-radius": radius(4), "circle-stroke-width": 1.2,
          "circle-stroke-color": casing } },
      { id: "dots-chosen", type: "circle", source: "dots",
        paint: { "circle-color": colour, "circle-radius": 5, "circle-stroke-width": 3,
          "circle-stroke-color": "#ffffff" } },
    ];
  }

  /** Make the map. options: data, onPick(site or null), view {zoom, lat, lng} or null. */
  app.mapView = (holder, { data, onPick, onMove, view }) => {
    const [outlines, dots] = features(data);
    const map = new maplibregl.Map({
      container: holder,
      style: {
        version: 8,
        sources: {
          region: { type: "geojson", data: { type: "Feature", properties: {}, geometry: data.region } },
          outside: { type: "geojson", data: { type: "Feature", properties: {}, geometry: data.outside } },
          outlines: { type: "geojson", data: outlines, tolerance: 0.2 },
          dots: { type: "geojson", data: dots },
        },
        layers: [],
      },
      bounds: data.bounds,
      fitBoundsOptions: { padding: 36 },
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      maxPitch: 0,
      maxZoom: 19,
      renderWorldCopies: false,
      fadeDuration: 0,
    });
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    map.addControl(new maplibregl.ScaleControl({ maxWidth: 120, unit: "metric" }), "bottom-left");
    if (view) map.jumpTo({ center: [view.lng, view.lat], zoom: view.zoom });

    const drawn = { period: 0, site: null };
    const recent = []; // places of the periods whose pictures are loaded, latest last

    function tint() {
      const tone = theme();
      const images = { hatch: hatch(tone.hatch, 1.4), "hatch-strong": hatch("#5d6365", 2.6) };
      for (const [name, image] of Object.entries(images)) {
        if (map.hasImage(name)) map.updateImage(name, image);
        else map.addImage(name, image, { pixelRatio: 2 });
      }
      if (!map.getLayer("ground")) return;
      map.setPaintProperty("ground", "background-color", tone.ground);
      map.setPaintProperty("outside", "fill-color", tone.ground);
      map.setPaintProperty("border", "line-color", tone.border);
    }

    function showPictures(at) {
      const label = (place) => data.periods[place].label;
      const ids = (place) => data.pictures[label(place)].map((_, i) => `picture-${place}-${i}`);
      if (!recent.includes(at)) {
        ids(at).forEach((id, i) => {
          const picture = data.pictures[label(at)][i];
          map.addSource(id, { type: "image", url: picture.uri, coordinates: picture.corners });
          map.addLayer({ id, type: "raster", source: id, paint: {
            "raster-opacity": 0, "raster-fade-duration": 0,
            "raster-opacity-transition": { duration: calm.matches ? 0 : 220 } } }, "outside");
        });
      }
      recent.splice(0, recent.length, ...recent.filter((place) => place !== at), at);
      for (const place of recent) {
        for (const id of ids(place)) map.setPaintProperty(id, "raster-opacity", place === at ? 1 : 0);
      }
      while (recent.length > KEPT_PERIODS) {
        for (const id of ids(recent.shift())) {
          map.removeLayer(id);
          map.removeSource(id);
        }
      }
      const blind = !(data.periods[at].looked > 0) || data.periods[at].hectares === null;
      const pictured = data.pictures[label(at)].length > 0;
      map.setLayoutProperty("unlooked", "visibility", blind || pictured ? "visible" : "none");
    }

    function draw() {
      const now = ["==", ["get", "period"], drawn.period];
      const state = (name) => ["==", ["get", "state"], name];
      const chosen = ["==", ["get", "site"], drawn.site === null ? -1 : drawn.site];
      const small = ["<", ["zoom"], ["get", "until"]];
      const filters = {
        "unseen-tint": [state("unseen")], "unseen-fill": [state("unseen")], "unseen-casing": [state("unseen")],
        "unseen-line": [state("unseen")], "seen-fill": [state("seen")],
        "seen-casing": [state("seen")], "seen-line": [state("seen")],
        "gone-line": [state("none"), chosen], "chosen-casing": [["!", state("none")], chosen],
        "chosen-halo": [["!", state("none")], chosen], "chosen-unseen": [state("unseen"), chosen],
        "chosen-line": [state("seen"), chosen],
        "dots-unseen": [state("unseen"), small], dots: [state("seen"), small],
        "dots-chosen": [state("seen"), small, chosen],
      };
      for (const [id, more] of Object.entries(filters)) map.setFilter(id, ["all", now, ...more]);
    }

    function at(point) {
      const box = [-1, 1].map((sign) => [point.x + sign * TOLERANCE_PX, point.y + sign * TOLERANCE_PX]);
      const hits = map.queryRenderedFeatures(box, {
        layers: ["dots", "dots-unseen", "seen-fill", "seen-line", "unseen-fill", "unseen-line"],
      });
      if (!hits.length) return null;
      const smallest = hits.reduce((a, b) => (b.properties.until > a.properties.until ? b : a));
      return smallest.properties.site;
    }

    const loaded = new Promise((resolve) => map.once("load", resolve)).then(() => {
      tint();
      layers(data).forEach((layer) => map.addLayer(layer));
      map.on("click", (event) => onPick(at(event.point)));
      map.on("mousemove", (event) => {
        map.getCanvas().style.cursor = at(event.point) === null ? "" : "pointer";
      });
      map.on("moveend", onMove);
      dark.addEventListener("change", tint);
    });

    return {
      map,
      loaded,
      show(period, site) {
        const moved = period !== drawn.period || !recent.length;
        Object.assign(drawn, { period, site });
        if (moved) showPictures(period);
        draw();
      },
      /** Bring a site into view if it is small or off the map. */
      goTo(site) {
        const box = Object.values(data.sites[site].rows)
          .filter((row) => row.shape)
          .reduce((all, row) => bounds(row.shape, all), [180, 90, -180, -90]);
        const to = map.cameraForBounds(box, { padding: 60, maxZoom: 14.5 });
        const zoom = Math.max(map.getZoom(), to ? to.zoom : 0);  // a click never zooms out
        map.easeTo({ ...to, zoom, duration: calm.matches ? 0 : 700 });
      },
      whole() {
        map.fitBounds(data.bounds, { padding: 36, duration: calm.matches ? 0 : 700 });
      },
    };
  };
})((window.minetraceApp = window.minetraceApp || {}));
