/* What lies under the outlines: the small pictures of the page, full ones from the service, or scores. */
(function (app) {
  "use strict";

  const CHOICES = { page: "Overview picture", composites: "Full picture", scores: "Model’s scores" };
  const ID = "served-picture";

  /** options: map, run (what the service says of it), period(); returns {choice, choose(name), shown()}. */
  app.pictures = ({ map, run, period }) => {
    let choice = "page";
    let drawn = "";

    const known = () => run.periods.find((one) => one.period === period());
    const has = (name) => name === "page" || Boolean((known() || {})[name]);

    async function show() {
      const wanted = choice === "page" || !has(choice) ? "" : `${choice}/${period()}`;
      if (wanted === drawn) return;
      drawn = wanted;
      const told = wanted && await fetch(`/tiles/${run.id}/${wanted}.json`).then((answer) => answer.json());
      if (wanted !== drawn) return;
      if (map.getLayer(ID)) {
        map.removeLayer(ID);
        map.removeSource(ID);
      }
      if (!told) return;
      map.addSource(ID, { type: "raster", tiles: told.tiles.map((one) => new URL(one).pathname.replace(/%7B/g, "{").replace(/%7D/g, "}")).map((path) => location.origin + path),
        tileSize: 256, minzoom: told.minzoom, maxzoom: told.maxzoom, bounds: told.bounds });
      map.addLayer({ id: ID, type: "raster", source: ID, paint: { "raster-fade-duration": 0 } }, "outside");
    }

    return {
      names: Object.entries(CHOICES),
      has,
      get choice() { return choice; },
      choose(name) {
        choice = CHOICES[name] ? name : "page";
        return show();
      },
      show,
    };
  };
})(window.minetraceApp);
