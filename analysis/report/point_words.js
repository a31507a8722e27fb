// What a point is, in elements: its kind, class and sentence, or what a fake is near to.
// Text from data reaches the page through textContent alone, so none of it can become markup.

// Make an element; text may be of any content.
function make(tag, text = "", classes = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (classes) element.className = classes;
  return element;
}

class PointWords {
  constructor(data, scheme) {
    this.data = data;
    this.scheme = scheme; // the media query of dark themes
    this.pattern = null; // what is searched for
    this.early = false; // whether the frame is not the last: what is known of fakes is of that
  }

  // A small canvas with the mark of a class.
  swatch(index, fake) {
    const canvas = make("canvas", "", "swatch");
    canvas.setAttribute("aria-hidden", "true");
    canvas.dataset.mark = index;
    canvas.dataset.fake = fake ? "yes" : "";
    this.drawSwatch(canvas);
    return canvas;
  }

  drawSwatch(canvas) {
    const ratio = 2;
    canvas.width = canvas.height = 14 * ratio;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const mark = this.data.marks[canvas.dataset.mark];
    drawMark(context, mark, Boolean(canvas.dataset.fake), this.scheme.matches, 7, 7, 4.2);
  }

  // The real rows nearest to a fake of the finished generator, as [text, class, row, distance];
  // the row is -1 where it is on no map.
  nearTo(point) {
    return this.data.fake[point.row].near;
  }

  // A sentence as nodes, with what was searched for marked.
  marked(text) {
    const match = this.pattern && this.pattern.exec(text);
    if (!match) return [text];
    const end = match.index + match[0].length;
    return [text.slice(0, match.index), make("mark", match[0]), text.slice(end)];
  }

  quoted(text) {
    const quote = make("q");
    quote.dir = "auto";
    quote.append(...this.marked(this.data.texts[text]));
    return quote;
  }

  // The elements that say what a point is.
  of(point) {
    return point.fake ? this.fakeDetail(point) : this.realDetail(point);
  }

  heading(point, text) {
    const line = make("p", "", "what");
    const name = make("bdi", this.data.classes[point.class]);
    line.append(this.swatch(point.class, point.fake), text, name);
    return line;
  }

  realDetail(point) {
    const sentence = make("p", "", "sentence");
    sentence.append(this.quoted(this.data.real[point.row].text));
    return [this.heading(point, "Real, "), sentence];
  }

  fakeDetail(point) {
    const fake = this.data.fake[point.row];
    const parts = [this.heading(point, "Fake, asked for ")];
    const line = make("p", "", "meta");
    line.append(this.early ? "In the last frame classified as " : "Classified as ");
    line.append(make("bdi", fake.posterior), ` · typicality ${fake.typicality}`);
    if (fake.memorized) line.append(" ", make("strong", "memorized", "flag"));
    parts.push(line);
    const near = this.nearTo(point);
    if (near.length) {
      const list = make("ul", "", "near");
      for (const [text, label, , distance] of near) {
        const entry = make("li");
        const meta = make("span", "", "meta");
        meta.append(make("bdi", label), ` · distance ${distance}`);
        entry.append(this.quoted(text), meta);
        list.append(entry);
      }
      const title = this.early ? "Nearest sentences in the last frame" : "Nearest sentences";
      parts.push(make("p", title, "label"), list);
    }
    return parts;
  }
}
