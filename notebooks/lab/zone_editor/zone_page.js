// The page of ZoneEditor: its buttons and fields, and what they show. editor.py puts this before zone_editor.js.

const TOOLS = [
  ["select", "Select", "V", "choose, move and reshape zones; drag the picture when zoomed"],
  ["polygon", "Polygon", "P", "click each corner; the first one again, Enter or Finish closes it"],
  ["four", "Four corners", "Q", "of a display or page, in reading order: upper left, upper right, lower right, lower left"],
  ["rectangle", "Rectangle", "R", "drag from corner to corner"],
  ["line", "Line", "L", "click both ends"],
];
const HINTS = {
  select: "Drag a corner to move it, a small dot to add one, the inside to move all of it. Double click or Delete removes a corner.",
  polygon: "Click corner after corner; close with a click on the first, Enter or Finish. Backspace takes the last one back, Esc all.",
  four: "Click the corners as one reads: upper left, upper right, lower right, lower left.",
  rectangle: "Drag from one corner to the opposite one.",
  line: "Click one end, then the other. Left and right are those of somebody who walks from 1 to 2.",
};

// What Editor, which draws and asks the kernel, has of buttons and fields.
class EditorPage {
  build(el) {
    this.root = make("div", "vcam-zones", el);
    this.root.tabIndex = 0;
    // JupyterLab listens before anybody else does, but leaves out what is marked so
    this.root.dataset.lmSuppressShortcuts = "true";
    const heading = make("div", "vcam-row vcam-heading", this.root);
    this.heading = make("b", "", heading);
    this.revision = make("span", "vcam-faint", heading);
    const bar = make("div", "vcam-row", this.root);
    this.tools = {};
    for (const [tool, text, key, title] of TOOLS) {
      this.tools[tool] = this.button(bar, text, `${title} (${key})`, () => this.use(tool));
    }
    this.finish = this.button(bar, "Finish", "close the polygon (Enter)", () => this.close());
    this.cancel = this.button(bar, "Cancel", "forget what is being drawn (Esc)", () => this.use(this.tool));
    this.undoButton = this.button(bar, "Undo", "Ctrl+Z", () => this.undo());
    this.redoButton = this.button(bar, "Redo", "Ctrl+Y", () => this.redo());
    this.button(bar, "+", "zoom in (wheel, two fingers)", () => this.zoom(1.5));
    this.button(bar, "−", "zoom out", () => this.zoom(1 / 1.5));
    this.button(bar, "Fit", "see all of the picture (F)", () => { this.canvas.fit(); this.paint(); });
    this.saveButton = this.button(bar, "Save", "Ctrl+S", () => this.save(), "vcam-save");
    this.over = this.button(bar, "Save over it", "replace what somebody else has saved", () => this.save({ over_others: true }));
    this.reload = this.button(bar, "Load the file", "drop your changes and show what the file holds", () => this.tell("load"));
    this.status = make("div", "vcam-status", this.root);
    this.status.setAttribute("aria-live", "polite");
    const columns = make("div", "vcam-columns", this.root);
    const left = make("div", "", columns);
    this.stage = make("div", "vcam-stage", left);
    this.canvas = new ZoneCanvas(this.stage);
    const source = make("div", "vcam-row", left);
    this.title = make("span", "vcam-faint", source);
    this.moment = make("input", "", source);
    Object.assign(this.moment, { type: "range", min: 0, step: 0.1, title: "which frame of the clip" });
    this.moment.setAttribute("aria-label", "moment of the clip");
    this.moment.addEventListener("change", () => this.tell("frame", { at: Number(this.moment.value) }));
    this.button(source, "Live frame", "draw on the newest frame from capture", () => this.tell("live"));
    const right = make("div", "", columns);
    this.chips = make("div", "vcam-row vcam-chips", right);
    this.buildForm(right);
    this.listen();
  }

  buildForm(parent) {
    this.form = make("div", "vcam-form", parent);
    const field = (text, type) => {
      const label = make("label", "", this.form, text);
      const input = make("input", "", label);
      input.type = type;
      return input;
    };
    this.name = field("Name", "text");
    this.name.maxLength = 32;
    this.name.addEventListener("change", () => this.set("name", this.name.value.trim()));
    this.group = field("Group", "text");
    this.group.placeholder = "none";
    this.group.addEventListener("change", () => this.set("group", this.group.value.trim() || undefined));
    this.ignore = field("Motion here starts no clip", "checkbox");
    this.ignore.addEventListener("change", () => this.set("ignore_motion", this.ignore.checked || undefined));
    const adding = make("label", "", this.form, "Tasks");
    this.templates = make("select", "", adding);
    this.templates.setAttribute("aria-label", "Add a task");
    this.templates.addEventListener("change", () => this.addTask());
    this.tasks = make("textarea", "", this.form);
    this.tasks.spellcheck = false;
    this.tasks.setAttribute("aria-label", "Tasks, as in the file");
    this.tasks.addEventListener("change", () => this.readTasks());
    const buttons = make("div", "vcam-row", this.form);
    this.dropCorner = this.button(buttons, "Remove corner", "the chosen corner (Delete)", () => this.removeCorner());
    this.swap = this.button(buttons, "Swap ends", "swaps left and right", () => this.edit((zone) => zone.line.reverse()));
    this.turn = this.button(buttons, "Turn corners", "corner 1 moves on by one: where reading begins",
      () => this.edit((zone) => zone.points.push(zone.points.shift())));
    this.button(buttons, "Delete zone", "with all of its tasks; Undo brings it back", () => this.removeZone());
  }

  button(parent, text, title, act, name = "") {
    const button = make("button", name, parent, text);
    button.type = "button";
    button.title = title;
    button.addEventListener("click", () => { act(); this.root.focus({ preventScroll: true }); });
    return button;
  }

  say(text, bad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("vcam-bad", bad);
  }

  lose() {
    this.say("The kernel is busy or gone: what you have drawn is not saved. If it was restarted, run this cell again; " +
      "the file has what was saved last.", true);
  }

  show() {
    const { state } = this;
    if (!state) return;
    if (this.chosen >= this.zones.length) this.chosen = this.corner = -1;
    this.heading.textContent = `Zones of ${state.camera}`;
    this.revision.textContent = `${state.revision ? `revision ${state.revision}` : "no file yet"}${state.changed ? ", not saved" : ""}`;
    for (const [tool, button] of Object.entries(this.tools)) {
      button.classList.toggle("vcam-on", tool === this.tool);
      button.setAttribute("aria-pressed", String(tool === this.tool));
    }
    this.finish.hidden = this.tool !== "polygon" || !this.drawn;
    this.cancel.hidden = !this.drawn;
    this.undoButton.disabled = !this.past.length;
    this.redoButton.disabled = !this.future.length;
    this.saveButton.disabled = Boolean(state.problem) || !state.changed;
    this.over.hidden = !state.conflict;
    this.title.textContent = state.title;
    this.moment.hidden = state.at === null;
    if (state.at !== null) Object.assign(this.moment, { max: state.duration, value: state.at });
    if (state.note && this.tool === "select") this.say(state.note, state.failed);
    else if (state.problem && !this.drawn) this.say(`Not right yet: ${state.problem}`, true);
    else this.say(HINTS[this.tool]);
    if (this.isLost) this.lose();
    this.showZones();
    this.paint();
  }

  showZones() {
    // a chip that is pressed while a field is left has to be there when it is released
    const chips = [...this.chips.querySelectorAll("button")];
    chips.slice(this.zones.length).forEach((chip) => chip.remove());
    this.chips.querySelector("span")?.remove();
    this.zones.forEach((zone, number) => {
      const choose = () => { this.chosen = number; this.corner = -1; this.show(); };
      const chip = chips[number] ?? this.button(this.chips, "", "choose", choose, "vcam-chip");
      chip.textContent = zone.name;
      chip.style.setProperty("--vcam-colour", this.canvas.colour(this.scene(), number));
      chip.setAttribute("aria-pressed", String(number === this.chosen));
    });
    if (!this.zones.length) make("span", "vcam-faint", this.chips, "No zones yet: choose a tool above and draw one.");
    const zone = this.zones[this.chosen];
    this.form.hidden = !zone;
    if (!zone) return this.tasks.classList.remove("vcam-wrong");
    if (document.activeElement !== this.name) this.name.value = zone.name;
    if (document.activeElement !== this.group) this.group.value = zone.group ?? "";
    this.ignore.checked = Boolean(zone.ignore_motion);
    this.ignore.parentElement.hidden = this.swap.hidden = false;
    this.ignore.parentElement.hidden = isLine(zone);
    this.swap.hidden = !isLine(zone);
    this.turn.hidden = zone.points?.length !== 4;
    this.dropCorner.hidden = isLine(zone);
    this.dropCorner.disabled = this.corner < 0;
    const wrong = this.tasks.classList.contains("vcam-wrong") && this.wrongIn === this.chosen;
    if (document.activeElement !== this.tasks && !wrong) {
      const lines = (zone.tasks ?? []).map((task) => ` ${JSON.stringify(task)}`);
      this.tasks.value = lines.length ? `[\n${lines.join(",\n")}\n]` : "[]";
      this.tasks.classList.remove("vcam-wrong");
    }
    const fitting = Object.entries(this.state.templates).filter(([, task]) => this.fits(task.do, zone));
    const names = ["", ...fitting.map(([name]) => name)];
    if (String(names) === String([...this.templates.options].map((option) => option.value))) return; // it may be open
    this.templates.replaceChildren(...names.map((name) => new Option(name || "Add a task…", name)));
  }

  fits(kind, zone) {
    if (isLine(zone)) return kind === "cross";
    return kind !== "cross" && (!["read", "page"].includes(kind) || zone.points.length === 4);
  }

  scene() {
    const { state, zones, chosen, corner, drawn, pointer, image } = this;
    return { image, size: state.size, zones, pages: state.pages, chosen, corner, drawn, pointer, palette: state.palette, grey: state.grey };
  }

  paint() {
    if (!this.state) return;
    const { width, height } = this.canvas.element.getBoundingClientRect();
    if (this.canvas.paint(this.scene())) this.root.dataset.painted = `${Math.round(width)}x${Math.round(height)}`;
    this.canvas.element.style.cursor = this.tool === "select" ? "default" : "crosshair";
  }
}
