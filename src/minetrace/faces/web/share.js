/* Handing on what is seen: its address, or the map as a picture with all that must go with it. */
(function (app) {
  "use strict";

  const NAME = "map.png";

  const picture = () => new Promise((resolve) => window.minetrace.poster().toBlob(resolve, "image/png"));

  function save(blob) {
    const link = app.el("a", { href: URL.createObjectURL(blob), download: NAME });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  app.share = {
    /** Through the system's own sheet where there is one, else as a file. */
    async picture() {
      const blob = await picture();
      const file = new File([blob], NAME, { type: "image/png" });
      if (navigator.canShare && navigator.canShare({ files: [file] })) {
        await navigator.share({ files: [file], title: document.title }).catch(() => {});
        return "";
      }
      save(blob);
      return "The picture was saved";
    },
    /** Copy the address; where that is not allowed, say it. */
    async address() {
      window.minetrace.writeAddress();
      try {
        await navigator.clipboard.writeText(location.href);
        return "The address was copied";
      } catch {
        return location.href;
      }
    },
  };
})(window.minetraceApp);
