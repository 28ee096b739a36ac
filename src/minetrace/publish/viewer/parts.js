/* Pieces of the map that lie beside the page, each a script: a page opened from disk may not fetch. */
(function (app) {
  "use strict";

  const waiting = new Map();
  const kept = new Map();

  window.minetracePart = (name, content) => {
    const settle = waiting.get(name);
    waiting.delete(name);
    if (settle) settle(content);
  };

  function open(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(name, resolve);
      script.src = `${name}.js`;
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        waiting.delete(name);
        reject(new Error(`${name}.js is missing beside this page`));
      };
      document.head.append(script);
    });
  }

  /** The content of a part; asked for twice, it is opened once. */
  app.part = (name) => {
    if (!kept.has(name)) {
      kept.set(name, open(name).catch((problem) => {
        kept.delete(name);
        throw problem;
      }));
    }
    return kept.get(name);
  };

  /** Like part, but nothing is kept: the caller minds its own memory. */
  app.passingPart = (name) => open(name);
})((window.minetraceApp = window.minetraceApp || {}));
