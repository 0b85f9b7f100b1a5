// ZoneEditor: zones of a camera, drawn and changed on its picture. See editor.py.

const CLICK = 5; // a drag shorter than this is a click, CSS pixels
const MOST_UNDO = 200;
const DOUBLE_CLICK_MS = 500; // in which browsers take two clicks for a double one
const ANSWER_MS = 8000; // a kernel that is there answers sooner

class Editor extends EditorPage {
  constructor(model, el) {
    super();
    this.model = model;
    this.client = Math.random().toString(36).slice(2);
    this.sent = 0;
    this.zones = [];
    this.past = [];
    this.future = [];
    this.chosen = -1;
    this.corner = -1;
    this.tool = "select";
    this.drawn = null;
    this.ended = null; // {time, pixels} of the click that ended a shape
    this.fingers = new Map();
    this.build(el);
    this.onState = () => this.adopt();
    this.onPicture = () => this.load();
    model.on("change:state", this.onState);
    model.on("change:picture", this.onPicture);
    this.load();
    this.adopt(true);
  }

  listen() {
    this.root.addEventListener("keydown", (event) => this.key(event));
    const canvas = this.canvas.element;
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "dblclick"])
      canvas.addEventListener(name, (event) => this[name](event));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.canvas.zoomBy(Math.exp(-event.deltaY * 0.0015), this.canvas.at(event));
      this.paint();
    }, { passive: false });
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(this.stage);
  }

  // -- with the kernel

  tell(what, more = {}) {
    this.sent += 1;
    this.root.dataset.answered = "false";
    const own = what === "load" ? {} : { zones: this.zones };
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.lose(), ANSWER_MS);
    try {
      this.model.send({ what, client: this.client, n: this.sent, ...own, ...more });
    } catch { // JupyterLab knows that the kernel was restarted
      clearTimeout(this.waiting);
      this.isLost = true;
    }
  }

  save(more = {}) {
    if (this.tasks.classList.contains("vcam-wrong")) return this.readTasks(); // says what is wrong
    this.tell("save", more);
    this.show();
  }

  adopt(first = false) {
    const state = this.model.get("state");
    if (!state?.zones) return;
    const loaded = this.state && state.revision !== this.state.revision && !state.changed;
    this.state = state;
    const own = state.client === this.client;
    if (own && state.heard < this.sent) return; // an answer to an earlier step: a newer one is on its way
    // what the file holds now, or what another page has drawn
    if (first || loaded || JSON.stringify(state.zones) !== JSON.stringify(this.zones)) {
      if (!first && !own) [this.past, this.future] = [[], []];
      this.zones = structuredClone(state.zones);
    }
    clearTimeout(this.waiting);
    this.root.dataset.answered = "true";
    this.show();
    if (own && state.note) this.say(state.note, state.failed);
  }

  load() {
    const bytes = this.model.get("picture");
    if (!bytes?.byteLength) return;
    createImageBitmap(new Blob([bytes], { type: "image/jpeg" })).then((image) => {
      this.image?.close();
      this.image = image;
      this.paint();
    });
  }

  // -- changes

  change(zones) {
    this.past.push(JSON.stringify(this.zones));
    if (this.past.length > MOST_UNDO) this.past.shift();
    this.future = [];
    this.zones = zones;
    this.tell("draw");
    this.show();
  }

  edit(act) {
    const zones = structuredClone(this.zones);
    act(zones[this.chosen]);
    this.change(zones);
  }

  set(key, value) {
    if (this.chosen < 0 || this.zones[this.chosen][key] === value) return;
    this.edit((zone) => (value === undefined ? delete zone[key] : (zone[key] = value)));
  }

  step(from, to) {
    if (!from.length) return;
    to.push(JSON.stringify(this.zones));
    this.zones = JSON.parse(from.pop());
    this.chosen = Math.min(this.chosen, this.zones.length - 1);
    this.corner = -1;
    this.tell("draw");
    this.show();
  }

  undo() { this.step(this.past, this.future); }
  redo() { this.step(this.future, this.past); }

  freeName(kind) {
    const taken = new Set(this.zones.map((zone) => zone.name));
    let number = 1;
    while (taken.has(`${kind}-${number}`)) number += 1;
    return `${kind}-${number}`;
  }

  add(shape) {
    // text is read clockwise from corner 1
    if (shape.points?.length === 4 && turning(shape.points) < 0) shape.points = [0, 3, 2, 1].map((at) => shape.points[at]);
    const name = this.freeName(shape.line ? "line" : "zone");
    this.drawn = null;
    this.tool = "select";
    this.chosen = this.zones.length;
    this.corner = -1;
    this.change([...this.zones, { name, ...shape, tasks: [] }]);
    this.name.focus({ preventScroll: true });
    this.name.select();
  }

  removeZone() {
    if (this.chosen < 0) return;
    const rest = this.zones.filter((_, number) => number !== this.chosen);
    this.chosen = this.corner = -1;
    this.change(rest);
  }

  removeCorner() {
    const zone = this.zones[this.chosen];
    if (!zone?.points || this.corner < 0) return;
    if (zone.points.length <= 3) return this.say("A polygon has at least three corners: Delete zone removes all of it", true);
    const { corner } = this;
    this.corner = -1;
    this.edit((one) => one.points.splice(corner, 1));
  }

  addTask() {
    const template = this.state.templates[this.templates.value];
    this.templates.value = "";
    if (template && this.chosen >= 0) this.edit((zone) => (zone.tasks = [...(zone.tasks ?? []), structuredClone(template)]));
  }

  readTasks() {
    if (this.chosen < 0) return;
    try {
      const tasks = JSON.parse(this.tasks.value.trim() || "[]");
      if (!Array.isArray(tasks)) throw new SyntaxError("it must be a list: [ … ]");
      this.tasks.classList.remove("vcam-wrong");
      this.set("tasks", tasks);
    } catch (error) {
      this.tasks.classList.add("vcam-wrong");
      this.wrongIn = this.chosen;
      this.say(`Tasks of ${this.zones[this.chosen].name} are not JSON: ${error.message}`, true);
    }
  }

  // -- drawing

  use(tool) {
    this.tool = tool;
    this.drawn = null;
    this.show();
  }

  close() {
    if (this.tool !== "polygon" || !this.drawn) return;
    if (this.drawn.length < 3) return this.say("A polygon has at least three corners", true);
    this.add({ points: this.drawn });
  }

  draw(point, pixels, reach) {
    const drawn = this.drawn ?? [];
    if (this.tool === "polygon" && drawn.length >= 3 && this.canvas.near(drawn[0], pixels, reach)) return this.close();
    this.drawn = [...drawn, point];
    if (this.tool === "line" && this.drawn.length === 2) this.add({ line: this.drawn });
    else if (this.tool === "four" && this.drawn.length === 4) this.add({ points: this.drawn });
    else this.show();
  }

  reachOf(event) { return event.pointerType === "touch" ? FINGER : REACH; }
  pointOf(event) { return this.canvas.share(this.canvas.at(event)).map(rounded); }

  pointerdown(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    const pixels = this.canvas.at(event);
    if (this.isEnding(event.timeStamp, pixels)) return;
    this.root.focus({ preventScroll: true });
    this.canvas.element.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, pixels);
    if (this.fingers.size > 1) { // two fingers zoom
      this.dropDrag();
      return;
    }
    this.drag = { from: pixels, last: pixels, start: this.pointOf(event) };
    if (this.tool !== "select") return;
    const grip = this.canvas.grip(this.zones, this.chosen, pixels, this.reachOf(event));
    this.drag.grip = grip;
    this.chosen = grip ? grip.zone : -1;
    this.corner = grip?.corner ?? -1;
    this.before = this.zones;
    this.show();
  }

  pointermove(event) {
    const pixels = this.canvas.at(event);
    if (this.fingers.size > 1 && this.fingers.has(event.pointerId)) return this.pinch(event.pointerId, pixels);
    if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, pixels); // where a second one finds it
    const { drag } = this;
    if (!drag) {
      this.pointer = this.drawn?.length ? this.pointOf(event) : null;
      if (this.drawn) this.paint();
      return;
    }
    drag.moved ||= Math.hypot(pixels[0] - drag.from[0], pixels[1] - drag.from[1]) > CLICK;
    if (!drag.moved) return;
    if (this.tool === "rectangle") {
      const [[x1, y1], [x2, y2]] = [drag.start, this.pointOf(event)];
      this.drawn = [[x1, y1], [x2, y1], [x2, y2], [x1, y2], [x1, y1]];
    } else if (this.tool === "select" && drag.grip) this.move(drag, pixels);
    else if (this.tool === "select") this.canvas.panBy(pixels[0] - drag.last[0], pixels[1] - drag.last[1]);
    drag.last = pixels;
    this.paint();
  }

  // Moves a corner, a new corner or all of a zone to where the pointer is.
  move(drag, pixels) {
    this.zones = structuredClone(this.before);
    const zone = this.zones[drag.grip.zone];
    const corners = cornersOf(zone);
    const to = this.canvas.share(pixels).map(rounded);
    if (drag.grip.corner >= 0) corners[drag.grip.corner] = to;
    else if (drag.grip.edge >= 0) {
      corners.splice(drag.grip.edge + 1, 0, to);
      this.corner = drag.grip.edge + 1;
    } else {
      const from = this.canvas.share(drag.from);
      const shift = [0, 1].map((axis) => {
        const values = corners.map((corner) => corner[axis]);
        return Math.min(Math.max(this.canvas.share(pixels)[axis] - from[axis], -Math.min(...values)), 1 - Math.max(...values));
      });
      corners.forEach((corner, at) => (corners[at] = [rounded(corner[0] + shift[0]), rounded(corner[1] + shift[1])]));
    }
  }

  pointerup(event) {
    this.fingers.delete(event.pointerId);
    const { drag, before } = this;
    this.drag = this.before = null;
    if (!drag) return;
    if (this.tool === "select") {
      if (drag.moved && drag.grip) {
        const after = this.zones;
        this.zones = before;
        this.change(after);
      }
      return;
    }
    if (this.tool === "rectangle") {
      const [[x1, y1], [x2, y2]] = [drag.start, this.pointOf(event)];
      this.drawn = null;
      if (!drag.moved || x1 === x2 || y1 === y2) return this.show();
      const [left, right] = [Math.min(x1, x2), Math.max(x1, x2)];
      const [top, bottom] = [Math.min(y1, y2), Math.max(y1, y2)];
      return this.add({ points: [[left, top], [right, top], [right, bottom], [left, bottom]] });
    }
    const pixels = this.canvas.at(event);
    this.draw(this.pointOf(event), pixels, this.reachOf(event));
    if (this.tool === "select") this.ended = { time: event.timeStamp, pixels };
  }

  // Whether a click is the second one of a double click that has ended a shape: it must not take hold of a corner.
  isEnding(time, [x, y]) {
    const { ended, tool } = this;
    if (tool !== "select" || !ended || time - ended.time > DOUBLE_CLICK_MS) return false;
    return Math.hypot(x - ended.pixels[0], y - ended.pixels[1]) <= 2 * CLICK;
  }

  // Takes back what a drag has changed so far.
  dropDrag() {
    if (this.before) this.zones = this.before;
    if (this.tool === "rectangle") this.drawn = null;
    this.drag = this.before = null;
    this.show();
  }

  pointercancel(event) {
    this.fingers.delete(event.pointerId);
    this.dropDrag();
  }

  pinch(id, pixels) {
    const other = [...this.fingers].find(([finger]) => finger !== id)[1];
    const was = this.fingers.get(id);
    const far = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
    this.canvas.zoomBy(far(pixels) / far(was), [(pixels[0] + other[0]) / 2, (pixels[1] + other[1]) / 2]);
    this.canvas.panBy((pixels[0] - was[0]) / 2, (pixels[1] - was[1]) / 2);
    this.fingers.set(id, pixels);
    this.paint();
  }

  dblclick() {
    if (this.tool === "select") return this.removeCorner();
    if (this.tool !== "polygon" || !this.drawn) return;
    this.drawn = this.drawn.slice(0, -1); // the second click of the two
    this.close();
  }

  zoom(factor) {
    this.canvas.zoomBy(factor, [this.canvas.across / 2, this.canvas.down / 2]);
    this.paint();
  }

  // -- keys

  key(event) {
    const letter = /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : "";
    const control = event.ctrlKey || event.metaKey;
    if (event.target !== this.root) {
      if (!control || letter !== "s") return;
      this.root.focus({ preventScroll: true }); // takes what was typed
    }
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const tool = TOOLS.find(([, , key]) => key.toLowerCase() === letter);
    if (control && letter === "z") event.shiftKey ? this.redo() : this.undo();
    else if (control && letter === "y") this.redo();
    else if (control && letter === "s") this.save();
    else if (control || event.altKey) return;
    else if (event.key === "Enter") this.close();
    else if (event.key === "Escape") this.use(this.drawn ? this.tool : "select");
    else if (event.key === "Backspace" && this.drawn) { this.drawn = this.drawn.slice(0, -1); this.show(); }
    else if (event.key === "Delete" || event.key === "Backspace") this.corner >= 0 ? this.removeCorner() : this.removeZone();
    else if (arrows[event.key] && this.chosen >= 0) this.nudge(arrows[event.key], event.shiftKey ? 10 : 1);
    else if (tool) this.use(tool[0]);
    else if (letter === "f") { this.canvas.fit(); this.paint(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Moves the chosen corner, or all of the zone, by pixels of the picture.
  nudge([dx, dy], by) {
    const [width, height] = this.state.size;
    this.edit((zone) => {
      const corners = cornersOf(zone);
      const moved = this.corner >= 0 ? [this.corner] : corners.keys();
      for (const at of moved)
        corners[at] = [rounded(corners[at][0] + (dx * by) / width), rounded(corners[at][1] + (dy * by) / height)];
    });
  }

  end() {
    this.model.off("change:state", this.onState);
    this.model.off("change:picture", this.onPicture);
    this.observer.disconnect();
    clearTimeout(this.waiting);
    this.image?.close();
  }
}

export default {
  render({ model, el }) {
    const editor = new Editor(model, el);
    return () => editor.end();
  },
};
