/* One map: it shows one period. A page has one, or two while periods are compared. */
(function (app) {
  "use strict";

  const KEPT_PERIODS = 6; // more periods than this are let go again
  const TOLERANCE_PX = 5;
  const SMALL_PX = 6;
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

  const collection = (features) => ({ type: "FeatureCollection", features });
  const feature = (properties, geometry) => ({ type: "Feature", properties, geometry });

  /* Where a period's outlines and dots come from: tiles, or what the page was told. */
  function origins(data, address) {
    const tile = (at) => ({ id: `period-${at}`, spec: {
      type: "vector", tiles: [address], minzoom: 0, maxzoom: data.tiles.last } });
    const outlines = (at) => ({ id: `period-${at}`, spec: {
      type: "geojson", tolerance: 0.2, data: collection(data.outlines.drawn[at].map(([site, shape, state]) =>
        feature({ site, state, first: data.first(site), until: data.outlines.until[shape] },
          data.outlines.shapes[shape]))) } });
    const dots = () => collection(data.dots.map(([x, y, seen, unseen], site) =>
      feature({ site, first: data.first(site), seen, unseen, since: "0".repeat(data.periods.length) },
        { type: "Point", coordinates: [x, y] })));
    return data.tiles
      ? { period: tile, outlines: (at) => ({ source: `period-${at}`, "source-layer": `outlines-${data.periods[at].label}` }),
        dots: (at) => ({ source: `period-${at}`, "source-layer": "dots" }), always: {} }
      : { period: outlines, outlines: (at) => ({ source: `period-${at}` }), dots: () => ({ source: "dots" }),
        always: { dots: { type: "geojson", data: dots() } } };
  }

  /** Make a map in an element. options: data, address of tiles or null, view or null, interactive. */
  app.pane = (holder, { data, address, view, interactive }) => {
    const origin = origins(data, address);
    const colours = app.colours(data);
    const map = new maplibregl.Map({
      container: holder,
      style: {
        version: 8,
        sources: {
          region: { type: "geojson", data: feature({}, data.region) },
          outside: { type: "geojson", data: feature({}, data.outside) },
          ...origin.always,
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
      renderWorldCopies: data.bounds[2] > 180, // a region on the date line
      fadeDuration: 0,
      interactive,
    });
    if (view) map.jumpTo({ center: [view.lng, view.lat], zoom: view.zoom });

    const drawn = { period: null, site: null };
    const recent = []; // periods whose layers are on the map, latest last
    let wished = null; // the period to show: pictures come late

    function tint() {
      for (const [name, image] of Object.entries(app.hatches())) {
        if (map.hasImage(name)) map.updateImage(name, image);
        else map.addImage(name, image, { pixelRatio: 2 });
      }
      if (!map.getLayer("ground")) return;
      const tone = app.tone();
      map.setPaintProperty("ground", "background-color", tone.ground);
      map.setPaintProperty("outside", "fill-color", tone.ground);
      map.setPaintProperty("border", "line-color", tone.border);
    }

    const layersOf = (at) => [
      ...app.outlineLayers(at, origin.outlines(at), colours, data.periods[at]),
      ...app.dotLayers(at, origin.dots(at), colours, data.periods[at]),
    ];
    const picturesOf = (at) =>
      Array.from({ length: data.pictured[data.periods[at].label] }, (_, i) => `picture-${at}-${i}`);

    function add(at) {
      if (recent.includes(at)) return;
      const { id, spec } = origin.period(at);
      map.addSource(id, spec);
      for (const layer of layersOf(at)) {
        map.addLayer(layer, layer.type === "circle" ? "above-dots" : "above-outlines");
      }
      recent.unshift(at);
    }

    function drop(at) {
      for (const layer of layersOf(at)) map.removeLayer(layer.id);
      map.removeSource(`period-${at}`);
      for (const id of picturesOf(at)) {
        if (!map.getLayer(id)) continue;
        map.removeLayer(id);
        map.removeSource(id);
      }
    }

    function lay(at) {
      add(at);
      recent.splice(0, recent.length, ...recent.filter((place) => place !== at), at);
      for (const place of recent) {
        for (const layer of layersOf(place)) app.setOpacity(map, layer, place === at ? 1 : 0);
      }
      while (recent.length > KEPT_PERIODS) drop(recent.shift());
    }

    async function showPictures(at) {
      const label = data.periods[at].label;
      if (picturesOf(at).length) {
        const pictures = await app.part(`pictures/${label}`);
        if (wished !== at) return;
        picturesOf(at).forEach((id, i) => {
          if (map.getSource(id)) return;
          map.addSource(id, { type: "image", url: pictures[i].uri, coordinates: pictures[i].corners });
          map.addLayer({ id, type: "raster", source: id, paint: {
            "raster-opacity": 0, "raster-fade-duration": 0,
            "raster-opacity-transition": { duration: calm.matches ? 0 : 220 } } }, "outside");
        });
      }
      for (const place of recent) {
        for (const id of picturesOf(place)) {
          if (map.getLayer(id)) map.setPaintProperty(id, "raster-opacity", place === at ? 1 : 0);
        }
      }
      const shown = app.isBlind(data.periods[at]) || picturesOf(at).length > 0;
      map.setLayoutProperty("unlooked", "visibility", shown ? "visible" : "none");
    }

    /* The next and the last period are made ready while nothing else happens. */
    function prepare() {
      for (const at of [drawn.period + 1, drawn.period - 1]) {
        if (!data.periods[at]) continue;
        if (data.pictured[data.periods[at].label]) app.part(`pictures/${data.periods[at].label}`).catch(() => {});
        add(at);
      }
    }

    function choose(site, at) {
      for (const id of ["chosen-casing", "chosen-halo", "chosen-line", "chosen-dot"]) {
        if (map.getLayer(id)) map.removeLayer(id);
      }
      for (const id of ["chosen", "chosen-dot"]) if (map.getSource(id)) map.removeSource(id);
      if (!site) return;
      const row = site.rows[at];
      const gone = row !== null && row.state === 2;
      const stands = gone ? app.standsFor(site, at) : at;
      const { spec } = origin.period(stands);
      map.addSource("chosen", spec.type === "vector" ? spec : { ...spec, data: collection(
        spec.data.features.filter((one) => one.properties.site === site.number)) });
      const from = { ...origin.outlines(stands), source: "chosen" };
      const colour = data.palette[site.first];
      app.chosenLayers(from, colour, gone, site.number).forEach((layer) => map.addLayer(layer));
      if (gone) return;
      const [west, south, east, north] = site.box;
      const until = Math.log2((SMALL_PX / Math.max(east - west, north - south, 1e-6)) * (360 / 512));
      map.addSource("chosen-dot", { type: "geojson", data: feature({}, {
        type: "Point", coordinates: [(west + east) / 2, (south + north) / 2] }) });
      map.addLayer({ id: "chosen-dot", type: "circle", source: "chosen-dot",
        maxzoom: Math.max(0.5, Math.min(24, until + 1)), paint: {
          "circle-color": colour, "circle-radius": 5.5, "circle-stroke-width": 3, "circle-stroke-color": "#ffffff" } });
    }

    const loaded = new Promise((resolve) => map.once("load", resolve)).then(() => {
      tint();
      app.groundLayers().forEach((layer) => map.addLayer(layer));
      if (data.tallies) {
        map.addSource("territories", { type: "geojson", data: data.tallies.borders });
        app.territoryLayers().forEach((layer) => map.addLayer(layer, "above-border"));
      }
      app.theme.onChange(tint);
    });

    return {
      map,
      loaded,
      /** Show a period, with one site chosen or null; call it when loaded. */
      show(period, site) {
        const moved = period !== drawn.period;
        const chosen = moved || site !== drawn.site;
        Object.assign(drawn, { period, site });
        if (moved) {
          wished = period;
          lay(period);
          showPictures(period);
          map.once("idle", prepare);
        }
        if (chosen) choose(site, period);
      },
      /** Mark the border of a territory, or of none. */
      territory(unit) {
        if (!data.tallies) return;
        for (const id of ["territory-chosen-casing", "territory-chosen"]) map.setFilter(id, app.ofTerritory(unit));
      },
      /** The number of the site at a point, the smallest if there are several, or null. */
      hit(point) {
        const box = [-1, 1].map((sign) => [point.x + sign * TOLERANCE_PX, point.y + sign * TOLERANCE_PX]);
        const layers = layersOf(drawn.period).map((layer) => layer.id).filter((id) => !/^(casing|hatch)/.test(id));
        const found = map.queryRenderedFeatures(box, { layers });
        const small = (one) => (one.properties.until === undefined ? 99 : one.properties.until);
        return found.length ? found.reduce((a, b) => (small(b) > small(a) ? b : a)).properties.site : null;
      },
    };
  };
})((window.minetraceApp = window.minetraceApp || {}));
