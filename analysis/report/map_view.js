// One map on a canvas: where its points are, how they look, which of them is under the cursor.
// It knows pixels and points; words, controls and data are the explorer's.

const REACH = 12; // pixels around the cursor in which a point is found
const MOST_ZOOM = 60;
const MOVING = 350; // milliseconds from one frame to the next
const SHAPES = {
  o: (c, x, y, r) => c.arc(x, y, r, 0, 2 * Math.PI),
  s: (c, x, y, r) => c.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r),
  "^": (c, x, y, r) => polygon(c, x, y + 0.15 * r, 1.2 * r, 3, -90),
  v: (c, x, y, r) => polygon(c, x, y - 0.15 * r, 1.2 * r, 3, 90),
  D: (c, x, y, r) => polygon(c, x, y, 1.2 * r, 4, 0),
  p: (c, x, y, r) => polygon(c, x, y, 1.1 * r, 5, -90),
  h: (c, x, y, r) => polygon(c, x, y, 1.1 * r, 6, 0),
};

function polygon(context, x, y, radius, corners, turn) {
  for (let corner = 0; corner < corners; corner += 1) {
    const angle = ((turn + (360 * corner) / corners) * Math.PI) / 180;
    context.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  }
  context.closePath();
}

// Trace the outline of a mark; one that has no shape here is drawn as a circle.
function outline(context, shape, x, y, radius) {
  context.beginPath();
  (SHAPES[shape] || SHAPES.o)(context, x, y, radius);
}

// Draw the mark of a class: real rows filled, fakes as open shapes in the edge's color.
function drawMark(context, mark, fake, dark, x, y, radius) {
  const [fill, edge] = dark ? mark.dark : mark.light;
  outline(context, fake ? mark.fake : mark.real, x, y, radius);
  if (fake) {
    context.strokeStyle = edge;
    context.lineWidth = 1.4;
    context.stroke();
  } else {
    context.fillStyle = fill;
    context.fill();
  }
}

class MapView {
  // marks: {light: [fill, edge], dark: [fill, edge], real: shape, fake: shape} by class.
  constructor(canvas, marks) {
    this.canvas = canvas;
    this.marks = marks;
    this.points = [];
    this.box = [0, 0, 1, 1];
    this.shown = () => true;
    this.hits = null; // a set of points while there is a search
    this.hovered = null;
    this.selected = null;
    this.related = () => [];
    this.way = 1; // how far the points have come from the places before, 0 to 1
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.scheme.addEventListener("change", () => this.restyle());
    this.reset();
    new ResizeObserver(() => this.restyle()).observe(canvas);
  }

  // Show other points: {fake, row, class, x, y}. Those that were there before move to their places.
  show(points, box) {
    const before = new Map(this.points.map((point) => [this.name(point), this.place(point)]));
    const same = (old) => old && points.find((point) => this.name(point) === this.name(old));
    this.selected = same(this.selected) || null;
    this.hovered = null;
    this.points = points;
    this.box = box;
    this.before = this.still.matches ? new Map() : before;
    this.start = this.before.size ? performance.now() : -Infinity;
    this.way = this.before.size ? 0 : 1;
    this.draw();
  }

  name(point) {
    return `${point.fake ? "f" : "r"}${point.row}`;
  }

  // Where a point is now, between two frames perhaps.
  place(point) {
    const from = this.way < 1 && this.before.get(this.name(point));
    if (!from) return [point.x, point.y];
    return [from[0] + this.way * (point.x - from[0]), from[1] + this.way * (point.y - from[1])];
  }

  reset() {
    this.zoom = 1;
    this.middle = null;
    this.draw();
  }

  // Zoom by a factor around a place on the canvas, its middle if none is given.
  zoomBy(factor, around) {
    const at = around || [this.width / 2, this.height / 2];
    const fixed = this.toMap(at);
    this.zoom = Math.max(1, Math.min(MOST_ZOOM, this.zoom * factor));
    const moved = this.toMap(at);
    const [x, y] = this.middle || this.boxMiddle();
    this.lookAt([x + fixed[0] - moved[0], y + fixed[1] - moved[1]]);
  }

  pan(dx, dy) {
    const [x, y] = this.middle || this.boxMiddle();
    this.lookAt([x - dx / this.scale(), y + dy / this.scale()]);
  }

  // Bring a place of the map to the middle, and keep some of the map in sight.
  lookAt([x, y]) {
    const [left, bottom, right, top] = this.box;
    this.middle =
      this.zoom === 1
        ? null
        : [Math.max(left, Math.min(right, x)), Math.max(bottom, Math.min(top, y))];
    this.draw();
  }

  boxMiddle() {
    const [left, bottom, right, top] = this.box;
    return [(left + right) / 2, (bottom + top) / 2];
  }

  scale() {
    const [left, bottom, right, top] = this.box;
    const fit = Math.min(this.width / (right - left || 1), this.height / (top - bottom || 1));
    return 0.93 * fit * this.zoom;
  }

  toCanvas([x, y]) {
    const [midX, midY] = this.middle || this.boxMiddle();
    const scale = this.scale();
    return [this.width / 2 + (x - midX) * scale, this.height / 2 - (y - midY) * scale];
  }

  toMap([x, y]) {
    const [midX, midY] = this.middle || this.boxMiddle();
    const scale = this.scale();
    return [midX + (x - this.width / 2) / scale, midY - (y - this.height / 2) / scale];
  }

  // The point that is shown nearest to a place on the canvas, within reach. A plain look at every
  // point: of 5,000 that takes a tenth of a millisecond.
  nearest(at, reach = REACH) {
    let found = null;
    let least = reach * reach;
    for (const point of this.points) {
      if (!this.shown(point)) continue;
      const [x, y] = this.toCanvas(this.place(point));
      const squared = (x - at[0]) ** 2 + (y - at[1]) ** 2;
      if (squared <= least) [found, least] = [point, squared];
    }
    return found;
  }

  // The point that is next in a direction: near, and rather ahead than aside.
  next([dx, dy]) {
    const from = this.selected ? this.toCanvas(this.place(this.selected)) : null;
    if (!from) return this.nearest([this.width / 2, this.height / 2], Infinity);
    let found = null;
    let least = Infinity;
    for (const point of this.points) {
      if (point === this.selected || !this.shown(point)) continue;
      const [x, y] = this.toCanvas(this.place(point));
      const ahead = (x - from[0]) * dx + (y - from[1]) * dy;
      const aside = Math.abs((x - from[0]) * dy - (y - from[1]) * dx);
      const cost = ahead + 2 * aside;
      if (ahead > 0.01 && aside <= 2 * ahead && cost < least) [found, least] = [point, cost];
    }
    return found;
  }

  // Scroll a point into sight if it is outside.
  reveal(point) {
    const [x, y] = this.toCanvas(this.place(point));
    const margin = 16;
    const inside = (at, size) => at >= margin && at <= size - margin;
    if (this.zoom > 1 && !(inside(x, this.width) && inside(y, this.height))) {
      this.lookAt([point.x, point.y]);
    }
  }

  // Take over size, pixel ratio and theme.
  restyle() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.stamps = new Map();
    this.draw();
  }

  draw() {
    if (this.waiting || !this.width) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      this.way = 1 - (1 - Math.min(1, (performance.now() - this.start) / MOVING)) ** 3;
      this.paint();
      if (this.way < 1) this.draw();
    });
  }

  paint() {
    // A finger moves a map that is larger than its frame, and scrolls the page otherwise.
    this.canvas.style.touchAction = this.zoom > 1 ? "none" : "pan-y";
    const context = this.canvas.getContext("2d");
    const ratio = this.canvas.width / this.width;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const radius = Math.min(7, (this.width < 420 ? 2.6 : 3.2) * this.zoom ** 0.3);
    const seen = this.points.filter((point) => this.shown(point));
    const groups = this.hits
      ? [seen.filter((point) => !this.hits.has(point)), seen.filter((point) => this.hits.has(point))]
      : [seen];
    groups.forEach((group, index) => {
      context.globalAlpha = this.hits && index === 0 ? 0.14 : 1;
      for (const point of group) this.stampAt(context, point, radius, ratio);
    });
    context.globalAlpha = 1;
    this.paintChoice(context, this.hovered || this.selected, radius);
  }

  // Draw a point from a stamp of its mark: much faster than a path a point.
  stampAt(context, point, radius, ratio) {
    const key = `${point.class} ${point.fake} ${radius.toFixed(2)}`;
    const size = 2 * Math.ceil(radius * 1.5 + 2);
    if (!this.stamps.has(key)) {
      const stamp = document.createElement("canvas");
      stamp.width = stamp.height = Math.ceil(size * ratio);
      const drawn = stamp.getContext("2d");
      drawn.setTransform(ratio, 0, 0, ratio, 0, 0);
      drawn.globalAlpha = point.fake ? 1 : 0.72;
      const mark = this.marks[point.class];
      drawMark(drawn, mark, point.fake, this.scheme.matches, size / 2, size / 2, radius);
      this.stamps.set(key, stamp);
    }
    const [x, y] = this.toCanvas(this.place(point));
    if (x < -size || y < -size || x > this.width + size || y > this.height + size) return;
    context.drawImage(this.stamps.get(key), x - size / 2, y - size / 2, size, size);
  }

  // Ring the chosen point, and join it to the points that it is near to.
  paintChoice(context, point, radius) {
    if (!point) return;
    context.strokeStyle = getComputedStyle(this.canvas).color;
    const from = this.toCanvas(this.place(point));
    for (const other of this.related(point)) {
      const to = this.toCanvas(this.place(other));
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(...from);
      context.lineTo(...to);
      context.stroke();
      drawMark(context, this.marks[other.class], other.fake, this.scheme.matches, ...to, radius);
      outline(context, "o", ...to, radius + 2.5);
      context.stroke();
    }
    drawMark(context, this.marks[point.class], point.fake, this.scheme.matches, ...from, radius + 1);
    context.strokeStyle = getComputedStyle(this.canvas).color;
    context.lineWidth = 2;
    outline(context, "o", ...from, radius + 5);
    context.stroke();
  }
}
