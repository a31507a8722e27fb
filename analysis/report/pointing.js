// How points are chosen: by mouse and finger, and by the keys of a map that has the focus.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class Pointing {
  // changed is called when another point is chosen, or none.
  constructor(view, changed) {
    this.view = view;
    this.canvas = view.canvas;
    this.changed = changed;
    this.grabbed = null; // where the map was taken hold of, while it is
    const on = (event, act, more) => this.canvas.addEventListener(event, act, more);
    on("keydown", (event) => this.press(event));
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("pointerdown", (event) => this.grab(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.release(event));
    on("pointercancel", () => (this.grabbed = null));
    on("pointerleave", () => this.hover(null));
  }

  hover(point) {
    if (point === this.view.hovered) return;
    this.view.hovered = point;
    this.canvas.classList.toggle("pointing", Boolean(point));
    this.changed();
    this.view.draw();
  }

  select(point) {
    this.view.selected = point;
    this.view.hovered = null;
    if (point) this.view.reveal(point);
    this.changed();
    this.view.draw();
  }

  // Go through all points that are shown, in the order of the rows.
  step(by) {
    const seen = this.view.points.filter((point) => this.view.shown(point));
    const from = seen.indexOf(this.view.selected);
    if (seen.length) this.select(seen[from < 0 ? 0 : (from + by + seen.length) % seen.length]);
  }

  at(event) {
    return [event.offsetX, event.offsetY];
  }

  press(event) {
    const arrow = ARROWS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (arrow) this.select(this.view.next(arrow) || this.view.selected);
    else if (event.key === "PageDown") this.step(1);
    else if (event.key === "PageUp") this.step(-1);
    else if (event.key === "+" || event.key === "=") this.view.zoomBy(1.6);
    else if (event.key === "-") this.view.zoomBy(1 / 1.6);
    else if (event.key === "0") this.view.reset();
    else if (event.key === "Escape") this.select(null);
    else return;
    event.preventDefault();
  }

  // The wheel scrolls the page, unless the map has the focus or a key says zoom.
  wheel(event) {
    if (!(event.ctrlKey || event.metaKey || document.activeElement === this.canvas)) return;
    event.preventDefault();
    this.view.zoomBy(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 150), this.at(event));
  }

  grab(event) {
    this.grabbed = { x: event.clientX, y: event.clientY, moved: false };
  }

  move(event) {
    if (!this.grabbed) {
      this.hover(this.view.nearest(this.at(event)));
      return;
    }
    const [dx, dy] = [event.clientX - this.grabbed.x, event.clientY - this.grabbed.y];
    if (!this.grabbed.moved && Math.hypot(dx, dy) < 4) return;
    if (!this.grabbed.moved) this.canvas.setPointerCapture(event.pointerId);
    this.grabbed = { x: event.clientX, y: event.clientY, moved: true };
    this.hover(null);
    this.view.pan(dx, dy);
  }

  release(event) {
    const clicked = this.grabbed && !this.grabbed.moved;
    this.grabbed = null;
    const reach = event.pointerType === "touch" ? 2 * REACH : REACH;
    if (clicked) this.select(this.view.nearest(this.at(event), reach));
  }
}
