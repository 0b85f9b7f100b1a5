// LabelReview: one frame with its boxes, one of them in question; keys answer. See review.py.

const CLICK = 4; // a drag shorter than this is a click
const KEPT = 24; // pictures kept in the page
const ANSWER_MS = 8000; // a kernel that is there answers sooner
const BUTTONS = [
  ["right", "Right", "Y", "it is what it says, where it says (also Enter)"],
  ["wrong", "Wrong", "N", "nothing of that kind is there"],
  ["rightTrack", "Right, whole track", "⇧Y", "also in the other frames with this object"],
  ["wrongTrack", "Wrong, whole track", "⇧N", "also in the other frames with this object"],
  ["rightFrame", "All right here", "A", "this box and all of this frame that are open"],
  ["skip", "Skip", "S", "put it again after all others (also →)"],
  ["back", "Back", "←", "the question before, answered or not"],
  ["undo", "Undo", "U", "take back the last step"],
  ["draw", "Draw missed", "D", "the next drag draws a new box, also inside of another"],
  ["zoom", "Zoom", "Z", "look closer at the box in question, and back"],
];
const HELP = [
  ["Y, Enter", "right"], ["N", "wrong"], ["⇧Y, ⇧N", "the same for this object in all its frames"],
  ["A", "all boxes of this frame are right"], ["drag a corner, an edge, the box", "fix it; Enter saves, Esc takes back"],
  ["drag beside it, or D and drag", "draw what was missed; Enter saves"],
  ["1–9, L", "another label: by number, or typed"], ["click a box", "go to it; one that was drawn: Delete removes it"],
  ["U, Ctrl+Z", "undo"], ["S, →", "skip"], ["←", "back"], ["J", "jump to a number"], ["PageDown", "next clip"],
  ["Z", "zoom"], ["?", "this list"],
];

// A key's letter on any keyboard: what it types where that is Latin, else where it is.
const letterOf = (event) => {
  if (event.key.length > 1) return event.key;
  if (/[\x21-\x7e]/.test(event.key)) return event.key.toLowerCase();
  return event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : event.key;
};

class Reviewer {
  constructor(model, el) {
    this.model = model;
    this.client = Math.random().toString(36).slice(2);
    this.sent = 0;
    this.pictures = new Map();
    this.edit = null; // a box that was changed or drawn and is not saved yet
    this.chosen = null; // number of a drawn box
    this.zoomed = false;
    this.build(el);
    this.onState = () => this.adopt();
    this.onMessage = (message, buffers) => this.receive(message, buffers);
    model.on("change:state", this.onState);
    model.on("msg:custom", this.onMessage);
    this.adopt();
  }

  build(el) {
    this.root = make("div", "vcam-review", el);
    this.root.tabIndex = 0;
    // JupyterLab listens before anybody else does, but leaves out what is marked so
    this.root.dataset.lmSuppressShortcuts = "true";
    this.heading = make("div", "vcam-question", this.root);
    this.stage = make("div", "vcam-stage", this.root);
    this.canvas = new Canvas(this.stage);
    this.hint = make("div", "vcam-hint", this.stage, "Click here, then use the keys: Y right, N wrong, ? for all");
    this.status = make("div", "vcam-status", this.root);
    this.status.setAttribute("aria-live", "polite");
    this.bar = make("div", "vcam-progress", this.root);
    this.done = make("div", "vcam-done", this.bar);
    this.here = make("div", "vcam-here", this.bar);
    this.bar.title = "click to jump";
    this.counts = make("div", "vcam-counts", this.root);
    this.chips = make("div", "vcam-row", this.root);
    const buttons = make("div", "vcam-row", this.root);
    for (const [act, text, key, title] of BUTTONS) {
      const button = make("button", `vcam-${act}`, buttons, text);
      make("kbd", "", button, key);
      button.title = title;
      button.addEventListener("click", () => { this.act(act); this.root.focus(); });
    }
    this.save = make("button", "vcam-save", buttons, "Save the change");
    make("kbd", "", this.save, "Enter");
    this.save.addEventListener("click", () => { this.act("right"); this.root.focus(); });
    this.help = make("dl", "vcam-help", this.root);
    for (const [key, text] of HELP) {
      make("dt", "", this.help, key);
      make("dd", "", this.help, text);
    }
    this.help.hidden = true;
    this.listen();
  }

  listen() {
    this.root.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["pointerdown", "pointermove", "pointerup"])
      this.canvas.element.addEventListener(name, (event) => this[name](event));
    this.canvas.element.addEventListener("pointercancel", () => { this.drag = null; this.edit = null; this.show(); });
    this.hint.addEventListener("click", () => this.root.focus());
    this.bar.addEventListener("click", (event) => {
      const place = this.bar.getBoundingClientRect();
      this.tell("go", { to: Math.floor(((event.clientX - place.left) / place.width) * this.state.total) });
    });
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(this.stage);
  }

  // -- with the kernel

  tell(what, more = {}) {
    this.sent += 1;
    this.model.send({ what, client: this.client, n: this.sent, ...more });
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.silent(), ANSWER_MS);
    this.root.dataset.saved = "false";
  }

  silent() {
    this.say("The kernel is busy or gone; what you answered last may not be saved. If it was restarted, run this cell " +
      "again: the review goes on behind the last answer that was saved.", true);
  }

  adopt() {
    const state = this.model.get("state");
    if (!state?.asked) return;
    this.state = state;
    const heard = state.heard[this.client] ?? 0;
    // answers that are still on their way: stay where they led to
    if (heard >= this.sent || !state.questions[this.shown]) {
      if (this.shown !== state.asked[0] || state.failed) this.turn(state.asked[0]);
      clearTimeout(this.waiting);
      this.root.dataset.saved = "true";
      if (state.note || !this.edit) this.say(state.note, state.failed);
    }
    this.fetch();
    this.show();
  }

  receive(message, buffers) {
    if (message.what !== "picture") return;
    const entry = { size: message.size, error: message.error, image: null };
    this.keep(message.page, entry);
    if (!buffers?.length) return this.show();
    createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" })).then((image) => {
      entry.image = image;
      if (this.question?.page === message.page) this.show();
    });
  }

  keep(page, entry) {
    this.pictures.delete(page);
    this.pictures.set(page, entry);
    for (const [key, old] of this.pictures) {
      if (this.pictures.size <= KEPT) break;
      old.image?.close();
      this.pictures.delete(key);
    }
  }

  fetch() {
    const pages = [...new Set([this.shown, ...this.state.asked].map((key) => this.state.questions[key]?.page))];
    const missing = pages.filter((page) => page && !this.pictures.get(page)?.image && !this.pictures.get(page)?.error);
    const text = missing.join("\n");
    if (missing.length && text !== this.fetching) this.model.send({ what: "pictures", pages: missing });
    this.fetching = text;
  }

  // -- where we are

  get question() { return this.state?.questions[this.shown]; }
  get page() { return this.state?.pages[this.question?.page]; }
  get picture() { return this.pictures.get(this.question?.page); }
  boxes() {
    return Object.entries(this.state.questions).filter(([, one]) => one.xyxy && one.page === this.question.page);
  }

  turn(key) {
    const page = this.question?.page;
    this.shown = key;
    this.edit = null;
    this.drawing = false;
    if (page !== this.question?.page) this.chosen = null;
  }

  // Go on at once, to where the kernel will go as well.
  turnToNext() {
    const asked = this.state.asked;
    const next = asked[asked.indexOf(this.shown) + 1];
    if (next) this.turn(next);
    this.say("");
    this.show();
  }

  act(name) {
    if (!this.state) return;
    const acts = {
      right: () => (this.edit ? this.saveEdit() : this.judge("right", "box")),
      wrong: () => this.judge("wrong", "box"),
      rightTrack: () => this.judge("right", "track"),
      wrongTrack: () => this.judge("wrong", "track"),
      rightFrame: () => this.judge("right", "frame"),
      skip: () => this.question && (this.tell("skip", { key: this.shown }), this.turnToNext()),
      back: () => this.tell("go", { by: -1 }),
      undo: () => (this.edit ? this.dropEdit() : this.tell("undo")),
      draw: () => { this.drawing = !this.drawing; this.edit = null; this.show(); },
      zoom: () => { this.zoomed = !this.zoomed; this.show(); },
    };
    this.pressed = performance.now();
    acts[name]();
  }

  judge(state, scope) {
    if (!this.question) return;
    if (this.edit) return this.say("Save the change with Enter, or take it back with Esc, first.", true);
    this.tell("judge", { key: this.shown, state, scope });
    if (scope === "box" && (this.question.xyxy || state === "right")) this.turnToNext();
  }

  saveEdit() {
    const { kind, xyxy, label } = this.edit;
    if (!label) return this.typeLabel();
    this.tell(kind, { key: this.shown, xyxy: ordered(xyxy), label });
    this.edit = null;
    if (kind === "fix") this.turnToNext();
    else this.show();
  }

  dropEdit() {
    this.edit = null;
    this.drawing = false;
    this.say("");
    this.show();
  }

  relabel(label) {
    label = label.trim();
    if (!label || !this.question) return;
    if (!this.edit && !this.question.xyxy) return this.say("Draw a box first.", true);
    this.edit ??= { kind: "fix", xyxy: [...(this.question.placed ?? this.question.xyxy)] };
    this.edit.label = label;
    this.show();
  }

  typeLabel() {
    this.ask("Label:", this.edit?.label ?? "", (text) => this.relabel(text), this.state.labels);
  }

  jump() {
    this.ask(`Question, 1 to ${this.state.total}:`, "", (text) => {
      if (Number(text)) this.tell("go", { to: Math.round(Number(text)) - 1 });
    });
  }

  ask(text, value, then, choices = []) {
    this.status.replaceChildren();
    const label = make("label", "", this.status, `${text} `);
    const input = make("input", "vcam-input", label);
    const list = make("datalist", "", label);
    list.id = `vcam-${this.client}`;
    for (const choice of choices) make("option", "", list).value = choice;
    input.setAttribute("list", list.id);
    input.value = value;
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      this.say("");
      this.root.focus();
      if (event.key === "Enter") then(input.value);
    });
    input.focus();
    input.select();
  }

  key(event) {
    if (event.target instanceof HTMLInputElement) return;
    const letter = letterOf(event);
    event.stopPropagation();
    if ((event.ctrlKey || event.metaKey) && letter === "s") {
      event.preventDefault();
      return this.say("Answers are saved already. To save the notebook, click beside the picture first.");
    }
    if ((event.ctrlKey || event.metaKey || event.altKey) && !(letter === "z" && !event.altKey)) return;
    if (event.target instanceof HTMLButtonElement && ["Enter", " "].includes(event.key)) return;
    const shift = event.shiftKey;
    const keys = {
      y: () => this.act(shift ? "rightTrack" : "right"), n: () => this.act(shift ? "wrongTrack" : "wrong"),
      Enter: () => this.act("right"), a: () => this.act("rightFrame"), s: () => this.act("skip"),
      ArrowRight: () => this.act("skip"), ArrowLeft: () => this.act("back"), u: () => this.act("undo"),
      d: () => this.act("draw"), z: () => this.act(event.ctrlKey || event.metaKey ? "undo" : "zoom"),
      l: () => this.typeLabel(), j: () => this.jump(), Escape: () => this.dropEdit(),
      PageDown: () => this.tell("go", { clip: 1 }), Delete: () => this.remove(), Backspace: () => this.remove(),
      "?": () => { this.help.hidden = !this.help.hidden; },
    };
    for (let digit = 1; digit <= 9; digit++) keys[digit] = () => this.relabel(this.state?.labels[digit - 1] ?? "");
    if (!keys[letter]) return;
    event.preventDefault();
    if (!event.repeat || letter.startsWith("Arrow")) keys[letter]();
  }

  remove() {
    if (this.chosen === null) return this.say("Click a drawn box first; a box of the model is wrong (N), not removed.", true);
    this.tell("drop", { key: this.shown, number: this.chosen });
    this.chosen = null;
  }

  // -- by the pointer

  active() {
    return this.edit?.xyxy ?? this.question?.placed ?? this.question?.xyxy;
  }

  grip(point) {
    return this.drawing ? null : grip(this.active(), point, this.canvas.view.scale);
  }

  pointerdown(event) {
    this.root.focus();
    if (!this.picture?.image || event.button) return;
    event.preventDefault();
    this.canvas.element.setPointerCapture(event.pointerId);
    const from = this.canvas.at(event);
    const edges = this.grip(from);
    const box = edges && [...this.active()];
    this.drag = { from, edges, box, screen: [event.clientX, event.clientY], moved: false };
  }

  pointermove(event) {
    const { drag } = this;
    if (!this.picture?.image) return;
    if (!drag) {
      this.canvas.element.style.cursor = cursorOf(this.grip(this.canvas.at(event)));
      return;
    }
    drag.moved ||= Math.hypot(event.clientX - drag.screen[0], event.clientY - drag.screen[1]) >= CLICK;
    if (!drag.moved) return;
    const to = this.canvas.at(event);
    if (drag.edges) {
      let xyxy = [...drag.box];
      for (const edge of drag.edges) xyxy[edge] += to[edge % 2] - drag.from[edge % 2];
      if (drag.edges.length === 4) xyxy = movedInside(xyxy, this.picture.size);
      this.edit = { kind: this.edit?.kind ?? "fix", label: this.edit?.label ?? this.question.said ?? this.question.label, xyxy };
    } else {
      this.edit = { kind: "draw", label: this.lastLabel(), xyxy: [...drag.from, ...to] };
    }
    this.edit.xyxy = cutAt(this.edit.xyxy, this.picture.size);
    this.show();
  }

  pointerup(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (!drag.moved) return this.click(this.canvas.at(event));
    this.edit.xyxy = ordered(this.edit.xyxy);
    this.drawing = false;
    this.show();
  }

  click(point) {
    if (this.edit) return;
    const drawn = this.page.drawn.findIndex((one) => inside(one.xyxy, point));
    const hit = this.boxes().filter(([, one]) => inside(one.placed ?? one.xyxy, point));
    hit.sort(([, one], [, other]) => area(one.placed ?? one.xyxy) - area(other.placed ?? other.xyxy));
    this.chosen = drawn >= 0 ? drawn : null;
    if (drawn < 0 && hit.length && hit[0][0] !== this.shown) this.tell("go", { key: hit[0][0] });
    this.show();
  }

  lastLabel() {
    return this.edit?.label ?? this.question?.label ?? this.page?.drawn.at(-1)?.label ?? this.state.labels[0] ?? "";
  }

  // -- what is shown

  say(text, bad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("vcam-bad", bad);
  }

  show() {
    if (!this.state) return;
    const { question, page, edit, state } = this;
    this.root.dataset.question = this.shown ?? "";
    this.root.dataset.edit = edit ? edit.kind : "";
    this.heading.replaceChildren();
    if (edit) {
      const text = edit.kind === "draw" ? "New box: " : "Changed to: ";
      make("b", "", this.heading, text + (edit.label || "which label?"));
      make("span", "", this.heading, "Enter saves, Esc takes back, 1–9 or L for another label");
    } else if (question) {
      make("b", "", this.heading, question.xyxy ? `Is this a ${question.label}?` : "Nothing here, was nothing missed?");
      const track = question.track ? `, track ${question.track}` : "";
      const was = question.state ? `, answered: ${question.state}` : "";
      const score = question.xyxy ? `score ${question.score.toFixed(2)}${track}${was}; ` : "";
      make("span", "", this.heading, `${score}${page.filename}, ${page.clock}, frame ${page.frame}`);
    } else {
      make("b", "", this.heading, state.total ? "All is judged." : "Nothing to judge.");
      const then = state.total
        ? "← goes back through it; the cells below use it."
        : "No analysed clip has a boxes file: send one with SendProcessFile, or let capture record.";
      make("span", "", this.heading, then);
    }
    this.save.hidden = !edit;
    this.stage.hidden = this.chips.hidden = !question;
    this.root.classList.toggle("vcam-drawing", Boolean(this.drawing));
    this.showProgress();
    this.showLabels();
    this.paint();
  }

  showProgress() {
    const { boxes, frames, clips } = this.state.progress;
    this.done.style.width = `${frames[1] ? (100 * frames[0]) / frames[1] : 0}%`;
    this.here.style.left = `${this.question ? (100 * (this.question.number + 0.5)) / this.state.total : 100}%`;
    const place = this.question ? `question ${this.question.number + 1} of ${this.state.total}; judged: ` : "judged: ";
    this.counts.textContent =
      `${place}${boxes[0]} of ${boxes[1]} boxes, ${frames[0]} of ${frames[1]} frames, ${clips[0]} of ${clips[1]} clips`;
  }

  showLabels() {
    const now = this.edit?.label ?? this.question?.said ?? this.question?.label ?? "";
    const labels = this.state.labels.slice(0, 9);
    const signature = JSON.stringify([labels, now]);
    if (signature === this.labelled) return;
    this.labelled = signature;
    this.chips.replaceChildren();
    const chip = (text, key, act, on) => {
      const button = make("button", "vcam-chip", this.chips, text);
      make("kbd", "", button, key);
      button.classList.toggle("vcam-on", on);
      button.addEventListener("click", () => { act(); });
    };
    labels.forEach((label, at) => chip(label, at + 1, () => { this.relabel(label); this.root.focus(); }, label === now));
    if (now && !labels.includes(now)) chip(now, "", () => {}, true);
    chip("another …", "L", () => this.typeLabel(), false);
  }

  paint() {
    if (!this.state) return;
    const { picture, question, drag } = this;
    this.size = (picture?.error ? null : picture?.size) ?? this.size ?? [16, 9];
    const text = picture?.error || (question ? "loading …" : "");
    const boxes = picture?.image ? this.scene() : [];
    const scene = { size: this.size, image: picture?.image, text, boxes, active: this.active(), zoomed: this.zoomed };
    if (!this.canvas.paint({ ...scene, held: Boolean(drag) })) return;
    this.root.dataset.painted = this.shown;
    if (this.pressed !== undefined && this.shown !== this.paintedKey) {
      this.root.dataset.switchMs = (performance.now() - this.pressed).toFixed(1);
      this.pressed = undefined;
    }
    this.paintedKey = this.shown;
  }

  // The boxes to paint, that in question last.
  scene() {
    const { edit, question } = this;
    const boxes = this.boxes()
      .filter(([key]) => key !== this.shown || edit?.kind === "draw")
      .map(([, one]) => ({ xyxy: one.placed ?? one.xyxy, label: one.said ?? one.label, state: one.state || "open" }));
    this.page.drawn.forEach((one, at) => boxes.push({ ...one, state: "drawn", strong: at === this.chosen }));
    const active = this.active();
    if (active) {
      const label = edit?.label ?? question.said ?? question.label;
      boxes.push({ xyxy: active, label: label || "?", state: (!edit && question.state) || "asked", strong: true });
    }
    return boxes;
  }

  end() {
    this.model.off("change:state", this.onState);
    this.model.off("msg:custom", this.onMessage);
    this.observer.disconnect();
    clearTimeout(this.waiting);
    for (const entry of this.pictures.values()) entry.image?.close();
  }
}

export default {
  render({ model, el }) {
    const reviewer = new Reviewer(model, el);
    return () => reviewer.end();
  },
};
