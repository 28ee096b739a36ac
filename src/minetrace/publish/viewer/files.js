/* What can be taken home: files beside the map, and what the page makes itself. */
(function (app) {
  "use strict";

  const { el } = app;
  const ABOUT = {
    "panel.gpkg": "sites and outlines, for a GIS",
    "panel.parquet": "the same as GeoParquet",
    "hectares.csv": "hectares per period",
    "tallies.csv": "hectares by territory",
    "datacard.md": "what the figures are",
    "catalog.json": "STAC catalog of everything",
    "study.yaml": "the settings of this run",
  };

  function bytes(count) {
    const units = ["B", "kB", "MB", "GB"];
    const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
    return `${(count / 1000 ** power).toLocaleString("en", { maximumSignificantDigits: 3 })}\u00a0${units[power]}`;
  }

  const slug = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "map";

  function save(blob, name) {
    const link = el("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  /** Outlines of a period as GeoJSON, each hectare figure with its kind and how sure it is. */
  app.geojson = (data, sites, at) => ({
    type: "FeatureCollection",
    features: data.outlines.drawn[at].filter(([, , state]) => state !== 1).map(([number, shape]) => {
      const site = sites.peek(number);
      const row = site.rows[at];
      return {
        type: "Feature",
        properties: {
          site_id: site.id, name: site.name, period: data.periods[at].label, extent: row.kind,
          [row.kind === "mined" ? "area_ha" : "footprint_ha"]: row.ha, interval: data.qualifier, event: row.event,
          looked_share: row.looked, score_mean: row.mean, score_max: row.max,
          first_period: data.periods[site.first].label, inferred: row.inferred,
        },
        geometry: data.outlines.shapes[shape],
      };
    }),
  });

  /* The map with what must go with it: title, period, legend, scale, credit. */
  app.poster = (data, canvas, state) => {
    const credit = document.getElementById("credit").textContent;
    const ratio = Math.max(1, window.devicePixelRatio || 1);
    const head = Math.round(64 * ratio);
    const foot = Math.round(34 * ratio);
    const whole = el("canvas", { width: canvas.width, height: canvas.height + head + foot });
    const pen = whole.getContext("2d");
    const font = (size, weight) => { pen.font = `${weight} ${size * ratio}px ${getComputedStyle(document.body).fontFamily}`; };
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, whole.width, whole.height);
    pen.drawImage(canvas, 0, head);
    pen.textBaseline = "middle";
    pen.fillStyle = "#1c2326";
    font(18, 600);
    const period = data.periods[state.period].label;
    const when = state.before === null ? period : `${data.periods[state.before].label} | ${period}`;
    pen.fillText(`${data.title} · ${when}`, 16 * ratio, 22 * ratio);
    font(12, 400);
    let x = 16 * ratio;
    pen.fillText("Site first seen", x, 47 * ratio);
    x += pen.measureText("Site first seen").width + 14 * ratio;
    data.periods.forEach((one, i) => {
      if (!one.begunCount) return;
      pen.fillStyle = data.palette[i];
      pen.fillRect(x, 41 * ratio, 12 * ratio, 12 * ratio);
      pen.fillStyle = "#1c2326";
      pen.fillText(one.label, x + 17 * ratio, 47 * ratio);
      x += 17 * ratio + pen.measureText(one.label).width + 14 * ratio;
    });
    pen.fillStyle = "#626b70";
    if (data.periods.some((one) => one.hatched || (one.looked !== null && !(one.looked >= 1)))) pen.fillText("hatched: not looked", x, 47 * ratio);
    font(11, 400);
    const scale = document.querySelector(".maplibregl-ctrl-scale");
    const y = whole.height - foot / 2;
    let left = 16 * ratio;
    if (scale) {
      const wide = scale.getBoundingClientRect().width * ratio;
      pen.fillRect(left, y + 6 * ratio, wide, 2 * ratio);
      pen.fillText(scale.textContent, left + 4 * ratio, y - 3 * ratio);
      left += wide + 20 * ratio;
    }
    pen.textAlign = "right";
    pen.fillText(credit, whole.width - 16 * ratio, y);
    return whole;
  };

  /** Fill the list of files. options: data, sites, state(), picture() of the map as a canvas or null. */
  app.files = (root, { data, sites, state, picture }) => {
    const label = () => data.periods[state().period].label;
    const made = (name, about, go) => el("li", {}, el("button", { type: "button", class: "quiet", "data-file": name, onclick: go }, name),
      el("span", { class: "muted small" }, about));
    const beside = data.downloads.map((file) => el("li", {},
      el("a", { href: file.href, download: file.name }, file.name),
      el("span", { class: "muted small" }, [ABOUT[file.name], bytes(file.bytes)].filter(Boolean).join(" · "))));
    const outlines = () => save(
      new Blob([JSON.stringify(app.geojson(data, sites, state().period))], { type: "application/geo+json" }),
      `${slug(data.title)}-${label()}.geojson`);
    const view = () => {
      const canvas = picture();
      if (canvas) app.poster(data, canvas, state()).toBlob((blob) => save(blob, `${slug(data.title)}-${label()}.png`));
    };
    const here = [made("This view", "PNG, made here", view)];
    if (data.outlines) here.push(made("This period’s outlines", "GeoJSON, made here", outlines));
    root.replaceChildren(...here, ...beside);
  };
})((window.minetraceApp = window.minetraceApp || {}));
