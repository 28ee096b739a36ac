// One picture with what is drawn on it: cross, unit, outlines, scale. Places are metres of the
// item's CRS; the drawing's own axes begin at the picture's upper left corner and point down.

const SVG = "http://www.w3.org/2000/svg";

export class Pane {
  constructor(caption) {
    this.root = document.createElement("figure");
    this.root.className = "pane";
    this.caption = document.createElement("figcaption");
    this.caption.textContent = caption;
    this.box = document.createElement("div");
    this.box.className = "frame";
    this.root.append(this.caption, this.box);
    this.url = "";
  }

  clear() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = "";
    this.box.replaceChildren();
  }

  async show(item, zoom, picture, words) {
    this.clear();
    this.bounds = zoom.bounds;
    const [left, bottom, right, top] = zoom.bounds;
    this.width = right - left;
    if (picture) {
      const image = document.createElement("img");
      image.alt = words;
      this.url = image.src = picture.url;
      this.box.append(image);
      await image.decode();
    } else {
      const none = document.createElement("p");
      none.className = "none";
      none.textContent = "No picture was kept of this period";
      this.box.append(none);
    }
    this.svg = draw("svg", { viewBox: `0 0 ${right - left} ${top - bottom}`, "aria-hidden": true });
    this.svg.append(draw("g", { class: "marks" }), draw("g", { class: "outlines" }),
      draw("g", { class: "edit" }));
    this.box.append(this.svg);
    this.#marks(item);
    this.#scale(zoom, item.north_deg);
  }

  layer(name) {
    return this.svg.querySelector(`.${name}`);
  }

  // Metres of the CRS to the drawing.
  at([x, y]) {
    return [x - this.bounds[0], this.bounds[3] - y];
  }

  // Where a pointer is, in metres of the CRS.
  under(event) {
    const point = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(this.svg.getScreenCTM().inverse());
    return [this.bounds[0] + point.x, this.bounds[3] - point.y];
  }

  path(polygons) {
    return polygons.flat()
      .map((ring) => `M${ring.map((place) => this.at(place).map(round).join(" ")).join("L")}Z`)
      .join("");
  }

  outlines(found) {
    const layer = this.layer("outlines");
    layer.replaceChildren();
    if (!found) return;
    for (const [polygons, name] of [[found.map, "map-outline"], [found.own, "own-outline"]]) {
      const d = this.path(polygons);
      layer.append(draw("path", { class: "halo", d }), draw("path", { class: name, d }));
    }
  }

  #marks(item) {
    const [x, y] = this.at(item.cross);
    const near = this.width / 40;
    const far = this.width / 14;
    const d = [[1, 0], [-1, 0], [0, 1], [0, -1]]
      .map(([a, b]) => `M${x + a * near} ${y + b * near}L${x + a * far} ${y + b * far}`).join("");
    this.layer("marks").append(draw("path", { class: "halo", d }), draw("path", { class: "cross", d }));
    if (item.unit) {
      const square = this.path(item.unit);
      this.layer("marks").append(draw("path", { class: "unit", d: square }));
    }
  }

  #scale(zoom, north) {
    const scale = document.createElement("span");
    scale.className = "scale";
    const bar = document.createElement("i");
    bar.style.width = `${(100 * zoom.bar) / this.width}cqw`;
    const words = zoom.bar_m >= 1000 ? `${zoom.bar_m / 1000} km` : `${zoom.bar_m} m`;
    scale.append(bar, words);
    const arrow = document.createElement("span");
    arrow.className = "north";
    arrow.textContent = "N ↑";
    arrow.style.rotate = `${north}deg`;
    this.box.append(scale, arrow);
  }
}

export function draw(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function round(metres) {
  return Math.round(metres * 100) / 100;
}
