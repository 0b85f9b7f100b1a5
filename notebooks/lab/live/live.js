// WatchLive: a camera's newest picture with boxes drawn over it, and its events. watch.py puts
// viewer/boxes_canvas.js before it. The kernel sends no more pictures while this page is seconds behind.

const ALIVE_MS = 2000; // how often a page reports that it is there
const DRAWN_MS = 1000; // how often it reports, at most, how far it has come
const SILENT_MS = 10000; // without an answer for so long, the kernel is gone: it answers each of those reports
const LEAVE_MS = 2000; // out of sight for so long, a page does not watch any more
const UNIT = { width: 1, height: 1 }; // corners of boxes are shares of the picture

class LiveView {
  constructor(model, el) {
    this.model = model;
    this.about = model.get("about");
    this.page = Math.random().toString(36).slice(2);
    this.watches = false;
    this.inView = true;
    this.picture = null; // the one on screen
    this.thumbnails = new Map(); // URL by event
    this.build(el);
    this.listen();
    this.look();
  }

  build(el) {
    this.root = make("div", "vcam-live", el);
    this.root.tabIndex = -1;
    const head = make("div", "vcam-bar", this.root);
    make("b", "vcam-camera", head, this.about.camera);
    this.badge = make("span", "vcam-badge", head);
    this.clock = make("span", "vcam-clock", head);
    this.button = make("button", "vcam-stop", head);
    this.status = make("div", "vcam-status", this.root);
    this.status.setAttribute("role", "status");
    const columns = make("div", "vcam-columns", this.root);
    this.stage = make("div", "vcam-stage", columns);
    this.image = make("img", "vcam-picture", this.stage);
    this.canvas = make("canvas", "vcam-boxes", this.stage);
    this.waiting = make("div", "vcam-waiting", this.stage, "waiting for the first picture …");
    const side = make("div", "vcam-side", columns);
    make("div", "vcam-title", side, "Events, newest first");
    this.list = make("ol", "vcam-events", side);
    this.showEvents([]);
    this.showState({ running: true, notes: [] });
  }

  listen() {
    this.onMessage = (message, buffers) => this.receive(message, buffers);
    this.model.on("msg:custom", this.onMessage);
    this.button.addEventListener("click", () => this.model.send({ what: this.running ? "stop" : "start", page: this.page }));
    this.onVisible = () => this.look();
    document.addEventListener("visibilitychange", this.onVisible);
    this.sight = new IntersectionObserver((entries) => {
      this.inView = entries.at(-1).isIntersecting;
      this.look();
    });
    this.sight.observe(this.root);
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.stage);
    this.beat = setInterval(() => this.report(), ALIVE_MS);
  }

  tell(what, more = {}) {
    this.model.send({ what, page: this.page, ...more });
  }

  report() {
    if (!this.watches) return;
    if (performance.now() - this.heard > SILENT_MS) this.showSilence();
    this.tell("alive", { n: this.picture?.n });
  }

  // Watch while somebody can see it: nothing is decoded for a page that nobody sees.
  look() {
    clearTimeout(this.leaving);
    if (!document.hidden && this.inView) {
      if (!this.watches) {
        this.heard = performance.now();
        this.tell("hello");
      }
      this.watches = true;
    } else if (this.watches) this.leaving = setTimeout(() => this.leave(), LEAVE_MS);
  }

  leave() {
    clearTimeout(this.leaving);
    if (this.watches) this.tell("left");
    this.watches = false;
  }

  async receive(message, buffers) {
    this.heard = performance.now();
    if (this.silent) this.showState(this.state);
    if (message.what === "state") this.showState(message);
    if (message.what === "events") this.showEvents(message.events);
    if (message.what === "thumbnail") this.showThumbnail(message.id, buffers);
    if (message.what === "boxes") this.showBoxes(message);
    if (message.what === "picture") await this.showPicture(message, buffers[0]);
  }

  showBoxes({ n, boxes, own }) {
    for (const picture of [this.picture, this.coming]) if (picture?.n === n) Object.assign(picture, { boxes, own });
    if (this.picture?.n === n) this.draw();
  }

  async showPicture(message, bytes) {
    this.coming = message;
    const next = new Image();
    next.className = "vcam-picture";
    next.src = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    const drawn = await next.decode().then(() => true, () => false);
    if (drawn && this.coming === message) {
      const old = this.image;
      old.replaceWith(next);
      this.image = next;
      URL.revokeObjectURL(old.src);
      const shape = next.naturalWidth / next.naturalHeight;
      this.stage.style.aspectRatio = shape;
      this.stage.style.maxWidth = `calc(75vh * ${shape})`;
      this.waiting.hidden = true;
      this.picture = message;
      this.root.dataset.picture = message.n;
      const moves = message.motion === null ? "" : `, ${(100 * message.motion).toFixed(1)} % moves`;
      this.clock.textContent = message.clock + moves;
      this.draw();
    } else URL.revokeObjectURL(next.src);
    const now = performance.now();
    if (this.watches && now - (this.reported ?? -DRAWN_MS) >= DRAWN_MS) {
      this.reported = now;
      this.tell("drawn", { n: message.n });
    }
  }

  draw() {
    const boxes = this.picture?.boxes ?? [];
    const shown = boxes.map((box) => ({ box, between: !this.picture.own }));
    const { palette, grey } = this.about;
    drawBoxes(this.canvas, UNIT, shown, (track) => (track === null ? grey : palette[(track - 1) % palette.length]));
    this.root.dataset.boxes = boxes.length;
  }

  showState(state) {
    const { running, notes } = state;
    this.state = state;
    this.silent = false;
    this.running = running;
    this.root.classList.toggle("vcam-stopped", !running);
    this.badge.textContent = running ? "live" : "stopped";
    this.button.textContent = running ? "Stop" : "Start";
    this.button.title = running ? "end the connection to the camera" : "watch again";
    this.status.replaceChildren();
    for (const note of notes) make("div", "", this.status, note);
    if (!running && !this.picture) this.waiting.textContent = "";
  }

  showSilence() {
    this.silent = true;
    this.root.classList.add("vcam-stopped");
    this.badge.textContent = "no answer";
    this.status.replaceChildren();
    make("div", "", this.status, "The kernel does not answer. If it was restarted, run the cell again.");
  }

  showEvents(events) {
    this.list.replaceChildren();
    if (!events.length) make("li", "vcam-none", this.list, "none so far");
    const kept = new Set(events.map((event) => event.id));
    for (const [id, url] of this.thumbnails) {
      if (kept.has(id)) continue;
      URL.revokeObjectURL(url);
      this.thumbnails.delete(id);
    }
    for (const event of events) {
      const row = make("li", "vcam-event", this.list);
      Object.assign(row.dataset, { id: event.id, type: event.type });
      make("time", "", row, event.clock);
      const text = make("div", "", row);
      make("b", "", text, event.what);
      if (event.detail) make("span", "", text, ` ${event.detail}`);
      if (event.picture) this.addThumbnail(row, event.id);
    }
  }

  addThumbnail(row, id) {
    const image = make("img", "vcam-thumbnail", row);
    image.alt = "";
    image.title = "larger or smaller";
    image.hidden = true;
    image.addEventListener("click", () => image.classList.toggle("vcam-large"));
    if (!this.thumbnails.has(id)) {
      this.thumbnails.set(id, "");
      this.tell("thumbnail", { id });
    } else if (this.thumbnails.get(id)) {
      image.src = this.thumbnails.get(id);
      image.hidden = false;
    }
  }

  showThumbnail(id, buffers) {
    if (!buffers.length || this.thumbnails.get(id) !== "") return;
    this.thumbnails.set(id, URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" })));
    const image = [...this.list.children].find((row) => row.dataset.id === id)?.querySelector("img");
    if (!image) return;
    image.src = this.thumbnails.get(id);
    image.hidden = false;
  }

  end() {
    clearInterval(this.beat);
    try {
      this.leave();
    } catch {
      // the notebook was closed, and the kernel is not to be reached from here: it notices that nothing is reported
    }
    this.model.off("msg:custom", this.onMessage);
    document.removeEventListener("visibilitychange", this.onVisible);
    this.sight.disconnect();
    this.sizes.disconnect();
    URL.revokeObjectURL(this.image.src);
    for (const url of this.thumbnails.values()) URL.revokeObjectURL(url);
  }
}

export default {
  render({ model, el }) {
    const view = new LiveView(model, el);
    return () => view.end();
  },
};
