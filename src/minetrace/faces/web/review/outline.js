// Editing an outline: corners that can be dragged, added and taken away.

import { draw } from "./pane.js";

const STEP = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const STEP_M = 5;
const LEAST_CORNERS = 3;

export class OutlineEdit {
  constructor(pane, polygons) {
    this.pane = pane;
    this.polygons = structuredClone(polygons);
    this.layer = pane.layer("edit");
    pane.svg.removeAttribute("aria-hidden");
    this.draw();
  }

  end() {
    this.layer.replaceChildren();
    this.pane.svg.setAttribute("aria-hidden", true);
  }

  get value() {
    return JSON.stringify(this.polygons);
  }

  draw(chosen = null) {
    this.shape = draw("path", { class: "edited", d: this.pane.path(this.polygons) });
    this.layer.replaceChildren(this.shape);
    for (const ring of this.polygons.flat()) {
      ring.forEach((place, i) => this.#between(ring, i, place, ring[(i + 1) % ring.length]));
    }
    for (const ring of this.polygons.flat()) {
      ring.forEach((place, i) => this.#corner(ring, i, place === chosen));
    }
  }

  #corner(ring, i, chosen) {
    const dot = this.#dot("corner", ring[i], 80);
    dot.setAttribute("tabindex", "0");
    dot.setAttribute("role", "button");
    dot.setAttribute("aria-label", `corner ${i + 1} of ${ring.length}`);
    dot.addEventListener("pointerdown", (event) => this.#drag(event, ring, i, dot));
    dot.addEventListener("keydown", (event) => this.#key(event, ring, i));
    if (chosen) dot.focus();
  }

  #between(ring, i, [ax, ay], [bx, by]) {
    const dot = this.#dot("between", [(ax + bx) / 2, (ay + by) / 2], 140);
    dot.addEventListener("click", () => {
      const place = [(ax + bx) / 2, (ay + by) / 2];
      ring.splice(i + 1, 0, place);
      this.draw(place);
    });
  }

  #dot(name, place, share) {
    const [cx, cy] = this.pane.at(place);
    const dot = draw("circle", { class: name, cx, cy, r: this.pane.width / share });
    this.layer.append(dot);
    return dot;
  }

  #drag(event, ring, i, dot) {
    event.preventDefault();
    dot.setPointerCapture(event.pointerId);
    const move = (now) => {
      ring[i] = this.pane.under(now);
      const [cx, cy] = this.pane.at(ring[i]);
      dot.setAttribute("cx", cx);
      dot.setAttribute("cy", cy);
      this.shape.setAttribute("d", this.pane.path(this.polygons));
    };
    dot.addEventListener("pointermove", move);
    dot.addEventListener("pointerup", () => {
      dot.removeEventListener("pointermove", move);
      this.draw(ring[i]);
    }, { once: true });
  }

  #key(event, ring, i) {
    if (event.key in STEP) {
      const [dx, dy] = STEP[event.key];
      ring[i] = [ring[i][0] + dx * STEP_M, ring[i][1] + dy * STEP_M];
    } else if (event.key === "Delete" && ring.length > LEAST_CORNERS) {
      ring.splice(i, 1);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.draw(ring[i % ring.length]);
  }
}
