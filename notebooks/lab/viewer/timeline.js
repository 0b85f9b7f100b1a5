// The clips of a day along a line (notebooks/lab/viewer/timeline.py). Positions are shares of the day, 0..1.

const NS = "http://www.w3.org/2000/svg";
const LEFT = 140; // pixels for the names of rows
const RIGHT = 22;
const TOP = 48;
const ROW = 24;
const MIN_MARK = 5; // pixels: ten seconds of a day would be a tenth of a pixel
const NEAR = 12; // pixels around a mark in which a click hits it
const MAX_ZOOM = 200; // the line then spans seven minutes
const PLAY_WITHIN = 10_000; // milliseconds after a click in which its clip may start to play

function make(tag, attributes, parent, text) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

class Timeline {
  constructor(model, el) {
    this.model = model;
    this.view = [0, 1];
    this.root = document.createElement("div");
    this.root.className = "vcam-timeline";
    this.root.tabIndex = 0;
    this.root.title = "click a mark to play its clip; ← and →: previous and next clip; wheel: zoom; double click: whole day";
    el.append(this.root);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("click", (event) => this.click(event));
    this.root.addEventListener("wheel", (event) => this.zoom(event), { passive: false });
    this.root.addEventListener("dblclick", () => this.setView(0, 1));
    this.onDay = () => this.setView(0, 1);
    this.onChosen = () => this.draw();
    model.on("change:day", this.onDay);
    model.on("change:chosen", this.onChosen);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.root);
    this.draw();
  }

  end() {
    this.model.off("change:day", this.onDay);
    this.model.off("change:chosen", this.onChosen);
    this.observer.disconnect();
  }

  setView(begin, end) {
    this.view = [begin, end];
    this.draw();
  }

  x(share) {
    const [begin, end] = this.view;
    return LEFT + ((share - begin) / (end - begin)) * this.inner;
  }

  draw() {
    const day = this.model.get("day");
    const width = this.root.clientWidth;
    if (!width || !day.rows) return;
    this.inner = Math.max(50, width - LEFT - RIGHT);
    const bottom = TOP + ROW * day.rows.length;
    this.root.replaceChildren();
    const svg = make("svg", { viewBox: `0 0 ${width} ${bottom + 24}`, height: bottom + 24, role: "img" }, this.root);
    this.defineHatch(svg);
    const clips = day.clips === 1 ? "1 clip" : `${day.clips || "no"} clips`;
    make("text", { x: 0, y: 16, class: "vcam-title" }, svg, `${day.title}: ${clips}`);
    make("text", { x: 0, y: 34, class: "vcam-small" }, svg, this.detail(day));
    const inside = make("g", { "clip-path": `url(#${this.id}-inside)` }, svg);
    this.drawAway(inside, day);
    this.drawTicks(svg, inside, day, bottom);
    this.drawRows(svg, inside, day);
    make("line", { x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom, class: "vcam-border" }, svg);
  }

  detail(day) {
    let text = `each mark is a clip: click it to play it; local time, ${day.zone}`;
    if (day.away === null) text += " (times without watching are unknown: there is no cameras_log.jsonl)";
    else if (Object.values(day.away).some((parts) => parts.length)) text += "; hatched: the camera was not watched";
    return text;
  }

  defineHatch(svg) {
    this.id ??= `vcam-${Math.random().toString(36).slice(2)}`;
    const defs = make("defs", {}, svg);
    const size = { width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
    const hatch = make("pattern", { id: `${this.id}-hatch`, ...size }, defs);
    make("line", { x1: 0, y1: 0, x2: 0, y2: 6, stroke: "#C4C4C4", "stroke-width": 2 }, hatch);
    const inside = make("clipPath", { id: `${this.id}-inside` }, defs);
    make("rect", { x: LEFT, y: 0, width: this.inner + RIGHT, height: 1e5 }, inside);
  }

  drawAway(parent, day) {
    day.rows.forEach((row, number) => {
      for (const [begin, end] of day.away?.[row.camera] ?? []) {
        const [x, w] = [this.x(begin), this.x(end) - this.x(begin)];
        const place = { x, y: TOP + ROW * number, width: w, height: ROW };
        make("rect", { ...place, fill: `url(#${this.id}-hatch)`, class: "vcam-away" }, parent);
      }
    });
  }

  drawTicks(svg, inside, day, bottom) {
    for (const [share, hour] of day.ticks) {
      const x = this.x(share);
      if (x < LEFT - 1 || x > LEFT + this.inner + 1) continue;
      make("line", { x1: x, x2: x, y1: TOP, y2: bottom, class: "vcam-grid" }, inside);
      make("text", { x, y: bottom + 16, "text-anchor": "middle", class: "vcam-small" }, svg, `${hour}:00`);
    }
    if (day.until < 1) {
      const x = this.x(day.until);
      make("line", { x1: x, x2: x, y1: TOP, y2: bottom, class: "vcam-now" }, inside);
      make("text", { x: x + 3, y: TOP - 3, class: "vcam-small" }, inside, "now");
    }
  }

  drawRows(svg, inside, day) {
    const chosen = this.model.get("chosen");
    day.rows.forEach((row, number) => {
      const y = TOP + ROW * number;
      const name = `${row.camera}: ${row.label || "no clip"}`;
      make("text", { x: LEFT - 8, y: y + ROW / 2 + 4, "text-anchor": "end" }, svg, name);
      if (number && day.rows[number - 1].camera !== row.camera)
        make("line", { x1: LEFT, x2: LEFT + this.inner, y1: y, y2: y, class: "vcam-border" }, svg);
      const fill = day.colours[row.label === day.nothing ? day.nothing : row.camera];
      for (const [begin, end, filename, text] of row.marks) {
        const x = this.x(begin);
        const size = { x, y: y + 4, width: Math.max(MIN_MARK, this.x(end) - x), height: ROW - 8, fill };
        const mark = make("rect", { ...size, class: "vcam-mark", "data-filename": filename }, inside);
        mark.classList.toggle("vcam-chosen", filename === chosen);
        make("title", {}, mark, text);
      }
    });
  }

  // File names of the clips, each once, by time.
  files() {
    const marks = this.model.get("day").rows.flatMap((row) => row.marks);
    return [...new Set([...marks].sort((one, other) => one[0] - other[0]).map((mark) => mark[2]))];
  }

  click(event) {
    this.root.focus({ preventScroll: true });
    const hits = [...this.root.querySelectorAll(".vcam-mark")]
      .map((mark) => {
        const box = mark.getBoundingClientRect();
        const aside = Math.max(box.left - event.clientX, event.clientX - box.right, 0);
        const above = Math.max(box.top - event.clientY, event.clientY - box.bottom, 0);
        return { mark, distance: Math.max(aside, above) };
      })
      .sort((one, other) => one.distance - other.distance);
    if (hits.length && hits[0].distance <= NEAR) this.choose(hits[0].mark.dataset.filename);
  }

  choose(filename) {
    this.playWhenLoaded();
    this.model.set("chosen", filename);
    this.model.set("clicks", this.model.get("clicks") + 1);
    this.model.save_changes();
  }

  // The player is another widget, below this one: start it when it has loaded the clip.
  playWhenLoaded() {
    const place = this.root.closest(".vcam-day");
    if (!place) return;
    const until = performance.now() + PLAY_WITHIN;
    const play = (event) => {
      if (performance.now() < until) event.target.play?.().catch(() => {}); // browsers may require another click (autoplay policy)
    };
    place.addEventListener("loadeddata", play, { capture: true, once: true });
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const files = this.files();
    const at = files.indexOf(this.model.get("chosen"));
    const next = at < 0 ? (by > 0 ? 0 : files.length - 1) : at + by;
    if (files[next]) this.choose(files[next]);
  }

  zoom(event) {
    const place = this.root.getBoundingClientRect();
    const share = (event.clientX - place.left - LEFT) / this.inner;
    if (share < 0 || share > 1 || !event.deltaY) return;
    const [begin, end] = this.view;
    const length = Math.min(1, Math.max(1 / MAX_ZOOM, (end - begin) * (event.deltaY > 0 ? 1.25 : 0.8)));
    if (length === 1 && end - begin === 1) return; // leave the event to the page, which scrolls
    event.preventDefault();
    const at = begin + share * (end - begin);
    const from = Math.min(Math.max(0, at - share * length), 1 - length);
    this.setView(from, from + length);
  }
}

export default {
  render({ model, el }) {
    const timeline = new Timeline(model, el);
    return () => timeline.end();
  },
};
