// The player of ViewVideo: a <video> with a run's boxes drawn over each frame. player.py puts boxes_canvas.js before
// it. All times are seconds from the clip's first frame.

const MAX_KERNEL_BYTES = 200e6; // largest clip that is sent through the kernel if it has no URL
const SLACK_S = 2e-3; // how early a time may be for its frame: browsers and boxes files round
const CONTROLS = [
  ["start", "|◀", "to the first frame (Home)"],
  ["back", "◀", "one frame back (←; with Shift: 1 s)"],
  ["play", "Play", "play or pause (space)"],
  ["on", "▶", "one frame forward (→; with Shift: 1 s)"],
  ["end", "▶|", "to the last frame (End)"],
  ["object", "Next object", "to the first frame of the next track (N)"],
];

// Index of the last of the ascending `times` that is not after `time`; -1 if all are.
function lastUpTo(times, time) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time + SLACK_S) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// The URL of the clip under the server's /files/, found by the session of this widget's kernel (Jupyter Server REST API,
// /api/sessions).
async function findUrl(about) {
  const config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
  if (!config.baseUrl || !about.kernel) return null;
  const answer = await fetch(`${config.baseUrl}api/sessions`, { credentials: "same-origin" });
  if (!answer.ok) return null;
  const session = (await answer.json()).find((one) => one.kernel?.id === about.kernel);
  if (!session) return null;
  const parts = session.path.split("/").slice(0, -1);
  for (const part of about.path.split("/")) {
    if (part === "..") {
      if (!parts.length) return null; // outside the folder that the server serves
      parts.pop();
    } else if (part !== ".") parts.push(part);
  }
  return `${config.baseUrl}files/${parts.map(encodeURIComponent).join("/")}`;
}

class Boxes {
  constructor(model) {
    const about = model.get("about");
    this.hold = about.hold_s;
    this.palette = about.palette;
    this.grey = about.grey;
    this.samples = model.get("samples");
    this.times = this.samples.map((sample) => sample[0]);
    this.threshold = model.get("threshold");
    this.hidden = new Set(model.get("hidden"));
  }

  colour(track) {
    return track === null ? this.grey : this.palette[(track - 1) % this.palette.length];
  }

  shown([label, score]) {
    return score >= this.threshold && !this.hidden.has(label);
  }

  // As RunBoxes.at of notebooks/lab/media/clip.py: the boxes of a sampled frame as they are; between two sampled frames
  // (`between`), moved towards the next frame's box of the same track.
  at(time) {
    const number = lastUpTo(this.times, time);
    if (number < 0) return [];
    const [start, , boxes] = this.samples[number];
    const here = boxes.filter((box) => this.shown(box));
    const passed = time - start;
    if (passed <= SLACK_S) return here.map((box) => ({ box, between: false }));
    const next = this.samples[number + 1];
    if (!next || next[0] - start > this.hold) return [];
    const share = passed / (next[0] - start);
    return here.map((box) => {
      const end = box[6] !== null && next[2].find((one) => one[6] === box[6] && one[0] === box[0] && this.shown(one));
      if (!end) return { box, between: true };
      const moved = [2, 3, 4, 5].map((at) => box[at] + (end[at] - box[at]) * share);
      return { box: [box[0], box[1], ...moved, box[6]], between: true };
    });
  }

  // Labels with a box at or above the threshold, hidden ones included.
  labels() {
    const found = new Set(this.hidden);
    for (const [, , boxes] of this.samples)
      for (const [label, score] of boxes) if (score >= this.threshold) found.add(label);
    return found;
  }

  // Each track with the times of its sampled frames.
  objects() {
    const found = new Map();
    for (const [time, , boxes] of this.samples) {
      for (const box of boxes) {
        if (box[6] === null || !this.shown(box)) continue;
        const key = `${box[0]} ${box[6]}`;
        if (!found.has(key)) found.set(key, { track: box[6], times: [] });
        found.get(key).times.push(time);
      }
    }
    return [...found.values()];
  }
}

// A row of bars for each track: the times of its boxes; and a line at the current time.
function drawStrip(canvas, about, boxes, time) {
  const ratio = window.devicePixelRatio || 1;
  const objects = boxes.objects();
  const row = objects.length > 6 ? 4 : 7;
  const height = Math.max(14, Math.min(objects.length, 12) * row + 6);
  canvas.style.height = `${height}px`;
  const width = canvas.clientWidth;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const perSecond = width / Math.max(about.duration_s, 1e-3);
  const bar = Math.max(2, (about.hold_s / 2) * perSecond);
  objects.slice(0, 12).forEach((object, number) => {
    pen.fillStyle = boxes.colour(object.track);
    for (const seen of object.times) pen.fillRect(seen * perSecond, 3 + number * row, bar, row - 2);
  });
  pen.fillStyle = getComputedStyle(canvas).color;
  pen.fillRect(Math.max(0, Math.min(width - 2, time * perSecond - 1)), 0, 2, height);
}

class Player {
  constructor(model, el) {
    this.model = model;
    this.root = make("div", "vcam-player", el);
    this.root.tabIndex = 0;
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab ignores its shortcuts here (lumino: data-lm-suppress-shortcuts)
    this.heading = make("div", "vcam-heading", this.root);
    this.stage = make("div", "vcam-stage", this.root);
    this.video = make("video", "vcam-video", this.stage);
    Object.assign(this.video, { muted: true, playsInline: true, preload: "auto" });
    this.still = make("img", "vcam-still", this.stage);
    this.canvas = make("canvas", "vcam-boxes", this.stage);
    this.strip = make("canvas", "vcam-strip", this.root);
    this.strip.title = "when each track was detected; click to go there";
    this.makeControls();
    this.status = make("div", "vcam-status", this.root);
    this.listen();
    this.load();
  }

  makeControls() {
    const bar = make("div", "vcam-bar", this.root);
    this.buttons = {};
    for (const [name, text, title] of CONTROLS) {
      const button = make("button", `vcam-${name}`, bar, text);
      button.title = title;
      button.addEventListener("click", () => this.act(name));
      this.buttons[name] = button;
    }
    this.speed = make("select", "vcam-speed", bar);
    for (const speed of [0.25, 0.5, 1, 2, 4]) {
      const option = make("option", "", this.speed, `${speed}×`);
      option.value = speed;
      option.selected = speed === 1;
    }
    this.sound = make("button", "vcam-sound", bar, "Sound");
    this.clock = make("span", "vcam-clock", bar);
    const filter = make("div", "vcam-bar", this.root);
    const label = make("label", "vcam-threshold", filter, "boxes with a score of at least ");
    this.slider = make("input", "", label);
    Object.assign(this.slider, { type: "range", min: 0.1, max: 1, step: 0.01 });
    this.sliderValue = make("output", "", label);
    this.chips = make("span", "vcam-chips", filter);
  }

  listen() {
    const { model, video } = this;
    this.onAbout = () => this.load();
    this.onFilter = () => this.refilter();
    this.onMessage = (message, buffers) => this.receive(message, buffers);
    model.on("change:about", this.onAbout);
    model.on("change:threshold change:hidden", this.onFilter);
    model.on("msg:custom", this.onMessage);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("click", () => this.act("play"));
    this.strip.addEventListener("pointerdown", (event) => this.scrub(event));
    this.strip.addEventListener("pointermove", (event) => event.buttons && this.scrub(event));
    this.speed.addEventListener("change", () => (video.playbackRate = Number(this.speed.value)));
    this.sound.addEventListener("click", () => {
      video.muted = !video.muted;
      this.sound.classList.toggle("vcam-off", video.muted);
    });
    this.slider.addEventListener("input", () => {
      model.set("threshold", Number(this.slider.value));
      model.save_changes();
    });
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => this.showPlaying());
    video.addEventListener("error", () => this.failed());
    video.addEventListener("loadedmetadata", () => {
      video.playbackRate = Number(this.speed.value);
      if (!video.videoWidth) this.failed(); // only its audio can be played
    });
    // requestVideoFrameCallback reports the time of the frame on screen; currentTime is the fallback for older browsers
    // (https://wicg.github.io/video-rvfc/)
    if (video.requestVideoFrameCallback) {
      const onFrame = (now, frame) => {
        this.presented(frame.mediaTime);
        this.watcher = video.requestVideoFrameCallback(onFrame);
      };
      this.watcher = video.requestVideoFrameCallback(onFrame);
    } else {
      for (const name of ["seeked", "timeupdate", "loadeddata"])
        video.addEventListener(name, () => this.presented(video.currentTime));
    }
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.stage);
  }

  async load() {
    const about = this.model.get("about");
    this.about = about;
    this.times = this.model.get("times");
    this.index = 0;
    this.origin = null; // the media time of the first frame
    this.mode = "video";
    this.ways = about.by_kernel ? ["kernel"] : ["url", "kernel"];
    // a browser would display it at other times, or in another shape, than it was analysed
    if (about.browser_mismatch) this.ways = [];
    this.stopStills();
    this.chunks = null;
    this.heading.textContent = about.title ?? "";
    this.root.classList.toggle("vcam-empty", !about.name);
    this.stage.style.aspectRatio = `${about.width} / ${about.height}`;
    this.stage.style.maxWidth = `calc(70vh * ${about.width / about.height})`;
    this.sound.hidden = !about.has_audio;
    this.still.hidden = true;
    this.showStatus("");
    this.refilter();
    this.video.removeAttribute("src");
    if (about.name) await this.tryNext();
  }

  // Try the ways in turn: by URL, through the kernel, frame by frame.
  async tryNext() {
    const about = this.about;
    const way = this.ways.shift();
    if (way === "url") {
      const url = await findUrl(about).catch(() => null);
      if (this.about !== about) return; // another clip was chosen meanwhile
      if (url) this.video.src = url;
      else await this.tryNext();
    } else if (way === "kernel" && about.bytes <= MAX_KERNEL_BYTES) {
      this.showStatus("fetching the clip through the kernel …");
      this.chunks = [];
      this.model.send({ what: "bytes", offset: 0 });
    } else this.showStills();
  }

  failed() {
    if (this.mode !== "video" || !this.video.getAttribute("src")) return;
    // an unsupported codec is unsupported by all ways; code 2 is MEDIA_ERR_NETWORK (HTML Standard, 4.8.11.1)
    const code = this.video.error?.code;
    if (!this.about.plays_everywhere && code !== 2) this.ways = [];
    this.video.removeAttribute("src");
    this.tryNext();
  }

  receive(message, buffers) {
    if (message.what === "seek") this.goTo(message.time);
    if (message.what === "still") this.showStill(message.index, buffers[0]);
    if (message.what === "error") this.showStatus(message.text);
    if (message.what !== "bytes" || !this.chunks || message.name !== this.about.name) return;
    this.chunks.push(buffers[0]);
    const done = message.offset + buffers[0].byteLength;
    if (done < message.total) {
      this.showStatus(`fetching the clip through the kernel: ${Math.round((100 * done) / message.total)} %`);
      this.model.send({ what: "bytes", offset: done });
      return;
    }
    this.showStatus("");
    if (this.blob) URL.revokeObjectURL(this.blob);
    this.blob = URL.createObjectURL(new Blob(this.chunks, { type: "video/mp4" }));
    this.chunks = null;
    this.video.src = this.blob;
  }

  // -- frame by frame, from the kernel

  showStills() {
    this.mode = "stills";
    this.still.hidden = false;
    const why = this.about.browser_mismatch
      ? `A browser would not display this clip as it was analysed (${this.about.browser_mismatch})`
      : `This browser does not play this clip (${this.about.codec})`;
    this.showStatus(`${why}: the kernel sends it frame by frame. The annotated MP4 plays everywhere.`);
    this.goToFrame(this.index);
  }

  askStill(index) {
    this.wanted = index;
    if (this.asked !== undefined) return; // one request at a time; the last frame wanted is next
    this.asked = index;
    this.model.send({ what: "still", index, name: this.about.name });
  }

  showStill(index, bytes) {
    this.asked = undefined;
    if (this.mode !== "stills") return;
    const old = this.still.src;
    this.still.src = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    if (old) URL.revokeObjectURL(old);
    this.setFrame(index);
    if (this.playing) this.nextStill();
    else if (this.wanted !== index) this.askStill(this.wanted);
  }

  nextStill() {
    const time = this.playing.time + ((performance.now() - this.playing.at) / 1000) * Number(this.speed.value);
    const index = lastUpTo(this.times, time);
    if (index <= this.index && index < this.times.length - 1) requestAnimationFrame(() => this.playing && this.nextStill());
    else if (this.index >= this.times.length - 1) this.stopStills();
    else this.askStill(index);
  }

  stopStills() {
    this.playing = null;
    this.asked = undefined;
    this.showPlaying();
  }

  // -- position

  presented(mediaTime) {
    if (this.mode !== "video") return;
    this.origin ??= mediaTime;
    this.setFrame(Math.max(0, lastUpTo(this.times, mediaTime - this.origin)));
  }

  setFrame(index) {
    this.index = index;
    this.draw();
    this.root.dataset.frame = index;
    clearTimeout(this.reportTimer);
    this.reportTimer = setTimeout(() => {
      this.model.set("time", this.times[index] ?? 0);
      this.model.save_changes();
    }, 250);
  }

  goTo(time) {
    this.goToFrame(Math.max(0, lastUpTo(this.times, time)));
  }

  goToFrame(index) {
    index = Math.min(Math.max(index, 0), this.times.length - 1);
    if (this.mode === "stills") {
      this.askStill(index);
      return;
    }
    // seek to the middle of the frame's display time: browsers round times
    const start = this.times[index];
    const end = this.times[index + 1] ?? this.about.duration_s;
    this.target = index;
    this.video.currentTime = (this.origin ?? 0) + start + Math.max(0, end - start) / 2;
  }

  step(frames) {
    this.pause();
    // keys may repeat faster than frames are displayed
    const from = this.video.seeking && this.mode === "video" ? this.target : this.index;
    this.goToFrame(from + frames);
  }

  pause() {
    this.video.pause();
    if (this.playing) this.stopStills();
  }

  act(name) {
    const acts = {
      start: () => this.goToFrame(0),
      end: () => this.goToFrame(this.times.length - 1),
      back: () => this.step(-1),
      on: () => this.step(1),
      object: () => this.nextObject(),
      play: () => this.togglePlay(),
    };
    acts[name]();
  }

  togglePlay() {
    if (this.mode === "video") {
      if (this.video.paused) this.video.play().catch(() => {});
      else this.video.pause();
      return;
    }
    if (this.playing) return this.stopStills();
    const time = this.index >= this.times.length - 1 ? 0 : this.times[this.index];
    if (!time) this.index = 0;
    this.playing = { time, at: performance.now() };
    this.showPlaying();
    this.nextStill();
  }

  nextObject() {
    const firsts = this.boxes.objects().map((object) => object.times[0]);
    if (!firsts.length) return;
    firsts.sort((one, other) => one - other);
    const now = this.times[this.index] + SLACK_S;
    this.pause();
    this.goTo(firsts.find((time) => time > now) ?? firsts[0]);
  }

  scrub(event) {
    const place = this.strip.getBoundingClientRect();
    this.goTo(((event.clientX - place.left) / place.width) * this.about.duration_s);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const jump = (seconds) => {
      this.pause();
      this.goTo(this.times[this.index] + seconds);
    };
    const keys = {
      ArrowLeft: () => (event.shiftKey ? jump(-1) : this.step(-1)),
      ArrowRight: () => (event.shiftKey ? jump(1) : this.step(1)),
      " ": () => this.act("play"),
      Home: () => this.act("start"),
      End: () => this.act("end"),
      n: () => this.act("object"),
      N: () => this.act("object"),
    };
    const own = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    const button = event.target instanceof HTMLButtonElement && event.key === " ";
    event.stopPropagation();
    if (own || button || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }

  // -- display

  refilter() {
    this.boxes = new Boxes(this.model);
    this.slider.value = this.boxes.threshold;
    this.sliderValue.textContent = this.boxes.threshold.toFixed(2);
    this.chips.replaceChildren();
    const present = this.boxes.labels();
    for (const label of (this.about.labels ?? []).filter((one) => present.has(one))) {
      const chip = make("button", "vcam-chip", this.chips, label);
      chip.title = "show or hide";
      chip.classList.toggle("vcam-off", this.boxes.hidden.has(label));
      chip.addEventListener("click", () => {
        const hidden = new Set(this.model.get("hidden"));
        if (!hidden.delete(label)) hidden.add(label);
        this.model.set("hidden", [...hidden]);
        this.model.save_changes();
      });
    }
    this.draw();
  }

  draw() {
    if (!this.about?.name || !this.boxes) return;
    const time = this.times[this.index] ?? 0;
    const shown = this.boxes.at(time);
    drawBoxes(this.canvas, this.about, shown, (track) => this.boxes.colour(track));
    drawStrip(this.strip, this.about, this.boxes, time);
    const between = shown.some((one) => one.between) ? ", boxes placed between two sampled frames" : "";
    this.clock.textContent =
      `${time.toFixed(2)} s of ${this.about.duration_s.toFixed(1)}, frame ${this.index} of ${this.times.length}` +
      (this.about.started ? `, ${this.dayTime(time)}` : "") + between;
  }

  dayTime(time) {
    // local time of the camera, not of the browser
    const moment = new Date(Date.parse(`${this.about.started}Z`) + time * 1000);
    return moment.toISOString().slice(11, 21);
  }

  showPlaying() {
    const going = this.mode === "video" ? !this.video.paused : Boolean(this.playing);
    this.buttons.play.textContent = going ? "Pause" : "Play";
  }

  showStatus(text) {
    this.status.textContent = text;
  }

  end() {
    this.model.off("change:about", this.onAbout);
    this.model.off("change:threshold change:hidden", this.onFilter);
    this.model.off("msg:custom", this.onMessage);
    this.observer.disconnect();
    clearTimeout(this.reportTimer);
    this.playing = null;
    this.video.pause();
    this.video.removeAttribute("src");
    if (this.blob) URL.revokeObjectURL(this.blob);
  }
}

export default {
  render({ model, el }) {
    const player = new Player(model, el);
    return () => player.end();
  },
};
