// Plays live video of one camera: fragmented MP4 by Media Source Extensions, or the camera's own JPEGs.
//
// Whatever does not play, or ends, leaves the card with its pictures, and is tried again.
const LAG_S = 0.4;         // behind the newest frame when playing begins: packets come in bursts of 0.2 s
const FASTER_FROM_S = 1;   // from this lag on, play a little faster
const SKIP_FROM_S = 2;     // from this lag on, skip
const FASTER = 1.1;
const KEEP_S = 5;          // of what has been played
const QUIET_MS = 5000;     // without data for so long, say so
const SILENT_MS = 25000;   // and for so long, the connection is dead: capture ends it after 15 s of a camera's silence
const RETRY_MS = [1000, 2000, 5000, 10000];
const STEADY_MS = 10000;   // after playing for so long, the first retry is soon again
const MediaSourceClass = window.MediaSource || window.ManagedMediaSource;  // iPhones have the latter only

// Why live video is not to be tried again by itself.
class Unplayable extends Error {}

export class LiveCard {
  constructor(article) {
    this.article = article;
    this.img = article.querySelector("img");
    this.button = article.querySelector(".live");
    this.video = newVideo(`${this.button.dataset.name}, live video`);
    article.querySelector(".screen").append(this.video);
    this.fullscreen = article.querySelector(".fullscreen");
    this.mode = article.querySelector(".mode");
    this.isInView = true;
    this.isLive = false;  // video, or the camera's JPEGs, are being shown
    this.isWanted = false;
    this.running = null;  // the AbortController of the present attempts
    article.querySelector(".bar").hidden = false;
    this.fullscreen.addEventListener("click", () => {
      const enter = this.video.requestFullscreen || this.video.webkitEnterFullscreen;
      if (enter) enter.call(this.video);
    });
  }

  // Whether the card is to be live, and whether anybody can see it.
  set(isWanted, isSeen) {
    if (isWanted !== this.isWanted) {
      this.isWanted = isWanted;
      this.button.setAttribute("aria-pressed", String(isWanted));
      if (!isWanted) this.say("");
    }
    if (isWanted && isSeen && !this.running) {
      this.running = new AbortController();
      this.run(this.running.signal);
    } else if (!(isWanted && isSeen) && this.running) {
      this.running.abort();
      this.running = null;
    }
  }

  say(text) {
    if (this.mode.textContent !== text) this.mode.textContent = text;
  }

  sayWhy(reason) {
    this.say(`pictures only: ${reason}`);
  }

  async show(picture) {
    const url = URL.createObjectURL(picture);
    const next = new Image();
    next.src = url;
    try { await next.decode(); } catch { URL.revokeObjectURL(url); return; }
    const old = this.img.src;
    this.img.src = url;
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
  }

  async run(stop) {
    for (let failures = 0; !stop.aborted; failures++) {
      const began = performance.now();
      const attempt = new AbortController();
      const end = () => attempt.abort();
      stop.addEventListener("abort", end);
      let why = "the camera's stream ended";
      try {
        await this.play(attempt);
      } catch (error) {
        why = error instanceof TypeError ? "capture does not answer" : error.message;
        if (error instanceof Unplayable) { this.sayWhy(why); return; }
      } finally {
        stop.removeEventListener("abort", end);
        attempt.abort();
        this.endVideo();
      }
      if (stop.aborted) return;
      this.sayWhy(why);
      if (performance.now() - began > STEADY_MS) failures = 0;
      await pause(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)], stop);
    }
  }

  // Plays until the stream ends; throws an error whose message says why there is none.
  async play(attempt) {
    if (!this.mode.textContent) this.say("connecting");
    const watchdog = new Watchdog(attempt, (isQuiet) => {
      if (this.isLive) this.say(isQuiet ? "waiting for the camera" : "playing");
    });
    try {
      const answer = await fetch(this.button.dataset.src, {cache: "no-store", signal: attempt.signal});
      const type = answer.headers.get("content-type") || "";
      if (!answer.ok) throw new Error((await answer.text()).trim());
      const reader = watchdog.watched(answer.body.getReader());
      if (type.startsWith("multipart/")) await this.playPictures(reader);
      else await this.playVideo(reader, type, attempt.signal);
    } catch (error) {
      throw watchdog.isSilent ? new Error("the camera sends nothing") : error;
    } finally {
      watchdog.end();
    }
  }

  async playVideo(reader, type, signal) {
    if (!MediaSourceClass || !MediaSourceClass.isTypeSupported(type)) {
      throw new Unplayable(`this browser does not play ${codecName(type)}`);
    }
    const video = this.video;
    const source = new MediaSourceClass();
    video.disableRemotePlayback = true;
    video.src = URL.createObjectURL(source);
    await event(source, "sourceopen", signal);
    URL.revokeObjectURL(video.src);
    const buffer = source.addSourceBuffer(type);
    video.addEventListener("loadeddata", () => this.showVideo(), {once: true, signal});
    const player = new Follower(video, buffer, signal);
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      await player.append(value);
    }
  }

  showVideo() {
    this.isLive = true;
    this.video.hidden = false;
    this.fullscreen.hidden = false;
    this.say("playing");
  }

  endVideo() {
    this.isLive = false;
    this.video.hidden = true;
    this.fullscreen.hidden = true;
    if (this.video.src) {
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  async playPictures(reader) {
    for await (const picture of newestPictures(reader)) {
      await this.show(picture);
      if (!this.isLive) {
        this.isLive = true;
        this.say("playing");
      }
    }
  }
}

// Keeps a video near the newest frame of its buffer, and the buffer small.
class Follower {
  constructor(video, buffer, signal) {
    this.video = video;
    this.buffer = buffer;
    this.signal = signal;
    this.keyframes = new Keyframes();
    this.times = [];  // of the keyframes in the buffer
    this.hasBegun = false;
  }

  async append(data) {
    for (const time of this.keyframes.in(data)) this.times.push(time);
    this.check();
    this.buffer.appendBuffer(data);
    await this.updated();
    this.follow();
    await this.trim();
  }

  async updated() {
    if (this.buffer.updating) await event(this.buffer, "updateend", this.signal);
    this.check();
  }

  // A video that has failed takes nothing more. Browsers' own messages are for their developers.
  check() {
    if (this.video.error) throw new Error("a part of the video could not be decoded");
  }

  follow() {
    const {buffered, currentTime} = this.video;
    if (!buffered.length) return;
    const end = buffered.end(buffered.length - 1);
    const lag = end - currentTime;
    if (!this.hasBegun || lag > SKIP_FROM_S || currentTime < buffered.start(0)) {
      const target = Math.max(buffered.start(0), end - LAG_S);
      if (target > currentTime) this.video.currentTime = target;
      if (!this.hasBegun) this.video.play().catch(() => {});
      this.hasBegun = true;
    }
    this.video.playbackRate = lag > FASTER_FROM_S ? FASTER : 1;
  }

  // Removing ends at a keyframe, or else what follows up to the next one would go as well.
  async trim() {
    const until = this.times.findLast((time) => time < this.video.currentTime - KEEP_S);
    if (until === undefined || until <= this.times[0]) return;
    this.times = this.times.filter((time) => time >= until);
    this.buffer.remove(0, until);
    await this.updated();
  }
}

// Finds the keyframes in the fragments that pass. All have the layout of vcam_worker/live/video/fragments.py.
class Keyframes {
  static HEAD = 104;
  static TIME_AT = 60;
  static FLAGS_AT = 96;
  static TIMESCALE = 90000;

  constructor() {
    this.head = new Uint8Array(Keyframes.HEAD);
    this.filled = 0;  // bytes of the present box's head
    this.rest = 0;    // bytes of it that are of no interest
  }

  // Yields the times of the keyframes, seconds, whose heads end in `data`.
  *in(data) {
    for (let at = 0; at < data.length;) {
      if (this.rest) {
        const skipped = Math.min(this.rest, data.length - at);
        this.rest -= skipped;
        at += skipped;
        continue;
      }
      const view = new DataView(this.head.buffer);
      const isFragment = this.filled >= 8 && view.getUint32(4) === 0x6d6f6f66;  // moof
      const wanted = isFragment ? Keyframes.HEAD : 8;
      const taken = data.subarray(at, at + wanted - this.filled);
      this.head.set(taken, this.filled);
      this.filled += taken.length;
      at += taken.length;
      if (this.filled === Keyframes.HEAD) {
        if (!(view.getUint32(Keyframes.FLAGS_AT) & 0x10000)) {
          yield Number(view.getBigUint64(Keyframes.TIME_AT)) / Keyframes.TIMESCALE;
        }
        this.filled = 0;
      } else if (this.filled === 8 && view.getUint32(4) !== 0x6d6f6f66) {
        this.rest = view.getUint32(0) - 8;
        this.filled = 0;
      }
    }
  }
}

// Tells when no data comes, and when it comes again; ends the attempt when none has come for long.
class Watchdog {
  constructor(attempt, tell) {
    this.attempt = attempt;
    this.tell = tell;
    this.isQuiet = this.isSilent = false;
    this.feed();
  }

  feed() {
    this.end();
    if (this.isQuiet) this.tell(this.isQuiet = false);
    this.quietTimer = setTimeout(() => this.tell(this.isQuiet = true), QUIET_MS);
    this.silentTimer = setTimeout(() => { this.isSilent = true; this.attempt.abort(); }, SILENT_MS);
  }

  watched(reader) {
    return {read: async () => { const part = await reader.read(); this.feed(); return part; }};
  }

  end() {
    clearTimeout(this.quietTimer);
    clearTimeout(this.silentTimer);
  }
}

// Yields the JPEGs of a multipart response; of several that have come together, the newest.
async function* newestPictures(reader) {
  let data = new Uint8Array();
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    const joined = new Uint8Array(data.length + value.length);
    joined.set(data);
    joined.set(value, data.length);
    let picture = null;
    [picture, data] = lastPicture(joined);
    if (picture) yield new Blob([picture], {type: "image/jpeg"});
  }
}

function lastPicture(data) {
  let picture = null;
  for (;;) {
    const text = new TextDecoder("latin1").decode(data.subarray(0, 400));
    const end = text.indexOf("\r\n\r\n");
    const length = /^content-length: *(\d+)/im.exec(text.slice(0, Math.max(0, end)));
    if (!length) return [picture, data];
    const begin = end + 4;
    const next = begin + Number(length[1]);
    if (data.length < next) return [picture, data];
    picture = data.subarray(begin, next);
    data = data.subarray(next);
  }
}

// The page holds none as capture sends it: Chromium keeps each parsed document that holds one in memory for ever, and
// the page parses itself anew every few seconds.
function newVideo(label) {
  const video = document.createElement("video");
  video.hidden = video.muted = video.playsInline = true;
  video.setAttribute("aria-label", label);
  return video;
}

function codecName(type) {
  return /hvc1|hev1/.test(type) ? "H.265" : /avc1/.test(type) ? "this kind of H.264" : type;
}

// Resolves at an event; rejects when `signal` is aborted.
function event(target, name, signal) {
  return new Promise((resolve, reject) => {
    const done = () => {
      target.removeEventListener(name, done);
      signal.removeEventListener("abort", done);
      if (signal.aborted) reject(new Error("stopped"));
      else resolve();
    };
    target.addEventListener(name, done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
