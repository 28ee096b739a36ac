/* Countries by name, among what the search finds. Needs the service. */
(function (app) {
  "use strict";

  const MOST = 4;
  let known = null;

  async function all() {
    if (known === null) known = fetch("/api/places").then((answer) => answer.json()).then((told) => told.places);
    return known;
  }

  /** Answers for the search: places whose name begins so, or holds it. */
  app.places = async (query) => {
    const lower = query.toLowerCase();
    if (lower.length < 2) return [];
    const found = (await all()).filter((place) => place.name.toLowerCase().includes(lower));
    const first = (place) => (place.name.toLowerCase().startsWith(lower) ? 0 : 1);
    return found.sort((a, b) => first(a) - first(b)).slice(0, MOST).map((place) => ({
      text: place.name, note: "country",
      go: () => window.minetrace.map.fitBounds(place.bbox, { padding: 24, animate: false }),
    }));
  };
})(window.minetraceApp);
