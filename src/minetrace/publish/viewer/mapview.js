/* The stage: one map, and a second one over its left part while two periods are compared. */
(function (app) {
  "use strict";

  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const FLIGHT_MS = 700;

  /** options: data, view or null, onPick(site number or null), onMove(). */
  app.mapView = (holder, overlay, { data, view, onPick, onMove }) => {
    const address = data.tiles ? app.openTiles(data.tiles) : null;
    const base = app.pane(holder, { data, address, view, interactive: true });
    const map = base.map;
    let other = null; // the pane on the left of the divider
    let split = 0.5;
    let shown = { period: null, before: null, site: null, territory: null };

    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
    map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    map.addControl(new maplibregl.ScaleControl({ maxWidth: 120, unit: "metric" }), "bottom-left");

    const under = (point) => (other && point.x < split * holder.clientWidth ? other : base);

    function cut(to) {
      split = to;
      overlay.style.clipPath = `inset(0 ${100 - 100 * split}% 0 0)`;
    }

    const follow = () => other && other.map.jumpTo({ center: map.getCenter(), zoom: map.getZoom() });

    function draw(pane, period) {
      pane.show(period, shown.site);
      pane.territory(shown.territory);
    }

    function compare(before) {
      overlay.hidden = before === null;
      if (before === null) {
        if (other) other.map.remove();
        other = null;
        return;
      }
      if (!other) {
        const { lng, lat } = map.getCenter();
        const pane = app.pane(overlay, { data, address, view: { lng, lat, zoom: map.getZoom() }, interactive: false });
        other = pane;
        other.map.getCanvas().removeAttribute("tabindex");
        other.map.getCanvas().setAttribute("aria-hidden", "true");
        cut(split);
        pane.loaded.then(() => {
          pane.ready = true;
          if (pane === other) draw(pane, shown.before);
        });
      } else if (other.ready) draw(other, before);
    }

    const loaded = base.loaded.then(() => {
      map.on("click", (event) => onPick(under(event.point).hit(event.point)));
      map.on("mousemove", (event) => {
        if (map.isMoving()) return;
        map.getCanvas().style.cursor = under(event.point).hit(event.point) === null ? "" : "pointer";
      });
      map.on("move", follow);
      map.on("moveend", onMove);
    });

    const idle = (one) => new Promise((resolve) => one.once("idle", resolve).triggerRepaint());

    return {
      map,
      loaded,
      cut,
      /** Resolves when nothing is left to draw. */
      settled: async () => {
        await idle(map);
        if (other) await other.loaded.then(() => other && idle(other.map));
      },
      show(period, before, site, territory) {
        shown = { period, before, site, territory };
        draw(base, period);
        compare(before);
      },
      /** Bring a box into view if it is small or off the map. */
      goTo(box) {
        const to = map.cameraForBounds(box, { padding: 60, maxZoom: 14.5 });
        const zoom = Math.max(map.getZoom(), to ? to.zoom : 0); // a click never zooms out
        map.easeTo({ ...to, zoom, duration: calm.matches ? 0 : FLIGHT_MS });
      },
      /** Bring a box into view whole, nearer or farther. */
      fit([west, south, east, north]) {
        map.fitBounds([west, south, east, north], { padding: 36, maxZoom: 14.5, duration: calm.matches ? 0 : FLIGHT_MS });
      },
      lookAt(lng, lat) {
        map.easeTo({ center: [lng, lat], zoom: Math.max(map.getZoom(), 13), duration: calm.matches ? 0 : FLIGHT_MS });
      },
      whole() {
        map.fitBounds(data.bounds, { padding: 36, duration: calm.matches ? 0 : FLIGHT_MS });
      },
      /** What is seen now, as a canvas. */
      picture() {
        const canvas = document.createElement("canvas");
        map.redraw();
        const whole = map.getCanvas();
        canvas.width = whole.width;
        canvas.height = whole.height;
        const pen = canvas.getContext("2d");
        pen.drawImage(whole, 0, 0);
        if (!other) return canvas;
        other.map.redraw();
        const edge = Math.round(split * whole.width);
        if (edge > 0) pen.drawImage(other.map.getCanvas(), 0, 0, edge, whole.height, 0, 0, edge, whole.height);
        pen.fillStyle = "#ffffff";
        pen.fillRect(edge - 1, 0, 2, whole.height);
        return canvas;
      },
    };
  };
})((window.minetraceApp = window.minetraceApp || {}));
