// The map explorer: reads the data that stands beside its canvas, and answers its controls.

const MOST_HITS = 60; // entries of the hit list; the count is of all
const BETWEEN_FRAMES = 1100; // milliseconds

function plural(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

class Explorer {
  constructor(root) {
    this.root = root;
    this.data = JSON.parse(root.querySelector("script").textContent);
    this.view = new MapView(root.querySelector("canvas"), this.data.marks);
    this.pointing = new Pointing(this.view, () => this.describe());
    this.view.shown = (point) => this.isShown(point);
    this.view.related = (point) => this.relatedTo(point);
    this.words = new PointWords(this.data, this.view.scheme);
    this.view.scheme.addEventListener("change", () => {
      for (const canvas of root.querySelectorAll(".swatch")) this.words.drawSwatch(canvas);
    });
    this.hidden = new Set(); // classes
    this.kinds = { real: true, fake: true };
    this.frame = 0;
    root.hidden = false;
    root.parentElement.classList.add("live");
    this.fillProjections();
    this.fillLegend();
    this.listen();
    this.choose();
  }

  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  // Controls ------------------------------------------------------------------------------------

  fillProjections() {
    const names = [...new Set(this.data.views.map((view) => view.name))];
    for (const name of names) this.part("projection").append(make("option", name));
    this.part("projection").closest("label").hidden = names.length < 2;
  }

  fillPerplexities() {
    const select = this.part("perplexity");
    const before = select.value;
    const found = this.viewsOfProjection().map((view) => String(view.perplexity ?? ""));
    select.replaceChildren(...found.map((value) => make("option", value)));
    if (found.includes(before)) select.value = before;
    select.closest("label").hidden = found.length < 2;
  }

  fillLegend() {
    const used = new Set();
    for (const rows of [this.data.real, this.data.fake]) {
      for (const row of rows) used.add(row.class);
    }
    this.data.classes.forEach((name, index) => {
      if (!used.has(index)) return;
      const label = make("label");
      const box = make("input");
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", () => {
        if (box.checked) this.hidden.delete(index);
        else this.hidden.add(index);
        this.filter();
      });
      const text = make("span", name);
      text.dir = "auto";
      label.append(box, this.words.swatch(index, false), this.words.swatch(index, true), text);
      this.part("classes").append(label);
    });
    for (const kind of ["real", "fake"]) {
      this.part(kind).after(this.words.swatch(this.data.marks.length - 1, kind === "fake"));
    }
    this.part("all").hidden = used.size < 3;
    this.part("none").hidden = used.size < 3;
  }

  listen() {
    const on = (name, event, act) => this.part(name).addEventListener(event, act);
    on("projection", "change", () => this.choose());
    on("perplexity", "change", () => this.choose());
    on("frame", "input", () => this.go(Number(this.part("frame").value)));
    on("play", "click", () => (this.playing ? this.stop() : this.play()));
    on("axes", "change", () => this.show());
    on("search", "input", () => this.search());
    on("nearer", "click", () => this.view.zoomBy(1.6));
    on("farther", "click", () => this.view.zoomBy(1 / 1.6));
    on("reset", "click", () => this.view.reset());
    on("all", "click", () => this.check(true));
    on("none", "click", () => this.check(false));
    for (const kind of ["real", "fake"]) {
      on(kind, "change", () => {
        this.kinds[kind] = this.part(kind).checked;
        this.filter();
      });
    }
    this.root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  }

  check(all) {
    for (const box of this.part("classes").querySelectorAll("input")) {
      if (box.checked !== all) box.click();
    }
  }

  // What is drawn -------------------------------------------------------------------------------

  viewsOfProjection() {
    const chosen = this.part("projection").value;
    return this.data.views.filter((view) => view.name === chosen);
  }

  choose() {
    this.stop();
    this.fillPerplexities();
    const wanted = this.part("perplexity").value;
    const views = this.viewsOfProjection();
    this.current = views.find((view) => String(view.perplexity ?? "") === wanted) || views[0];
    const frames = this.current.maps.length;
    this.part("frames").hidden = frames < 2;
    this.part("frame").max = frames - 1;
    this.view.reset();
    this.go(frames - 1);
  }

  go(frame) {
    this.frame = frame;
    this.words.early = frame < this.current.maps.length - 1;
    this.part("frame").value = frame;
    const name = this.current.maps[frame].frame;
    this.part("frame").setAttribute("aria-valuetext", name);
    this.part("frame-name").textContent = name;
    this.show();
  }

  play() {
    const last = this.current.maps.length - 1;
    if (this.frame === last) this.go(0);
    this.part("play").textContent = "Stop";
    this.playing = setInterval(() => {
      this.go(this.frame + 1);
      if (this.frame === last) this.stop();
    }, BETWEEN_FRAMES);
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
    this.part("play").textContent = "Play";
  }

  show() {
    const drawn = this.current.maps[this.frame];
    const points = [];
    for (const fake of [false, true]) {
      const [rows, places] = fake ? [drawn.fake, drawn.fake_xy] : [drawn.real, drawn.real_xy];
      const pool = fake ? this.data.fake : this.data.real;
      rows.forEach((row, index) => {
        const [x, y] = [places[2 * index], places[2 * index + 1]];
        points.push({ fake, row, class: pool[row].class, x, y });
      });
    }
    this.reals = new Map(points.filter((point) => !point.fake).map((point) => [point.row, point]));
    const fixed = this.part("axes").checked;
    this.view.show(points, fixed ? this.current.box : drawn.box);
    this.part("quality").replaceChildren(
      ...drawn.quality.map(([name, value]) => {
        const pair = make("div");
        pair.append(make("dt", name), make("dd", value));
        return pair;
      }),
    );
    this.search();
  }

  isShown(point) {
    return this.kinds[point.fake ? "fake" : "real"] && !this.hidden.has(point.class);
  }

  filter() {
    if (this.view.selected && !this.isShown(this.view.selected)) this.view.selected = null;
    this.search();
  }

  // Sentences -----------------------------------------------------------------------------------

  relatedTo(point) {
    if (!point.fake) return [];
    return this.words.nearTo(point)
      .map(([, , row]) => this.reals.get(row))
      .filter((other) => other && this.isShown(other));
  }

  matches(point) {
    if (!point.fake) return this.words.pattern.test(this.data.texts[this.data.real[point.row].text]);
    return this.words.nearTo(point).some(([text]) => this.words.pattern.test(this.data.texts[text]));
  }

  // Look for the words of the search box, among the points that are shown.
  search() {
    const words = this.part("search").value.trim();
    const escaped = words.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replace(/\s+/g, "\\s+");
    this.words.pattern = words ? new RegExp(escaped, "iu") : null;
    const seen = this.view.points.filter((point) => this.isShown(point));
    const hits = this.words.pattern ? seen.filter((point) => this.matches(point)) : [];
    this.view.hits = this.words.pattern ? new Set(hits) : null;
    const count = (points, fake) => points.filter((point) => point.fake === fake).length;
    const all = `${plural(count(seen, false), "real sentence", "real sentences")} and ${plural(count(seen, true), "fake", "fakes")}`;
    const found = `${plural(count(hits, false), "sentence has", "sentences have")} it; ${plural(count(hits, true), "fake is near to one that has", "fakes are near to one that has")}.`;
    this.part("count").textContent = this.words.pattern ? found : `${all} are shown.`;
    this.listHits(hits.filter((point) => !point.fake));
    this.describe();
    this.view.draw();
  }

  listHits(hits) {
    const entries = hits.slice(0, MOST_HITS).map((point) => {
      const entry = make("li");
      const button = make("button");
      button.type = "button";
      button.dir = "auto";
      button.append(...this.words.marked(this.data.texts[this.data.real[point.row].text]));
      button.addEventListener("click", () => {
        this.view.zoom = Math.max(this.view.zoom, 4);
        this.view.lookAt([point.x, point.y]);
        this.pointing.select(point);
      });
      entry.append(button);
      return entry;
    });
    this.part("hits").replaceChildren(...entries);
    this.part("hits").hidden = !entries.length;
  }

  // Say what the chosen point is, in the panel and to screen readers.
  describe() {
    const point = this.view.hovered || this.view.selected;
    const panel = this.part("detail");
    this.part("hint").hidden = Boolean(point);
    if (!point) panel.replaceChildren();
    else panel.replaceChildren(...this.words.of(point));
  }
}

for (const root of document.querySelectorAll(".explorer")) new Explorer(root);
