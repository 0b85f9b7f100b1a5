// The canvas of ZoneEditor: picture, zones and their handles, zoom. editor.py puts this before zone_editor.js.

const LINE = 2; // of a zone, CSS pixels
const REACH = 11; // how near the pointer must be to take a corner, CSS pixels
const FINGER = 20; // the same for a finger
const SHARE_OF_WINDOW = 0.7; // height of the picture at most
const MOST_ZOOM = 16;
const ARROW = 0.1; // length of a line's arrows, of the picture's shorter side

const make = (tag, name, parent, text = "") => {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  parent?.append(element);
  return element;
};

const clamp = (value) => Math.min(Math.max(value, 0), 1);
const rounded = (value) => Math.round(clamp(value) * 1e5) / 1e5;
const cornersOf = (zone) => zone.points ?? zone.line ?? [];
const isLine = (zone) => !zone.points;

const insidePolygon = (points, [x, y]) => {
  let inside = false;
  for (let at = 0, before = points.length - 1; at < points.length; before = at++) {
    const [[x1, y1], [x2, y2]] = [points[at], points[before]];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
};

// Area, above 0 for corners that go clockwise on the picture.
const turning = (points) =>
  points.reduce((sum, [x, y], at) => {
    const [nextX, nextY] = points[(at + 1) % points.length];
    return sum + x * nextY - nextX * y;
  }, 0) / 2;
const areaOf = (points) => Math.abs(turning(points));

// Distance of a place from the edge between two others.
const fromEdge = ([x, y], [x1, y1], [x2, y2]) => {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = Math.min(Math.max(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1), 0), 1);
  return Math.hypot(x - x1 - along * dx, y - y1 - along * dy);
};

const edgesOf = (zone) => {
  const corners = cornersOf(zone);
  const count = isLine(zone) ? corners.length - 1 : corners.length;
  return Array.from({ length: Math.max(0, count) }, (_, at) => [corners[at], corners[(at + 1) % corners.length]]);
};

class ZoneCanvas {
  constructor(stage) {
    this.stage = stage;
    this.element = make("canvas", "", stage);
    this.zoom = 1;
    this.middle = [0.5, 0.5]; // of the view, 0..1 of the picture
    this.view = { left: 0, top: 0, width: 1, height: 1 };
  }

  // Pixels of the canvas at which a point of the picture (0..1) is, and back.
  place([x, y]) {
    const { left, top, width, height } = this.view;
    return [left + x * width, top + y * height];
  }

  share([px, py]) {
    const { left, top, width, height } = this.view;
    return [(px - left) / width, (py - top) / height];
  }

  at(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  fit() {
    this.zoom = 1;
    this.middle = [0.5, 0.5];
  }

  // Zoom by a factor so that the place under the pointer stays.
  zoomBy(factor, [px, py]) {
    const before = this.share([px, py]);
    this.zoom = Math.min(Math.max(this.zoom * factor, 1), MOST_ZOOM);
    this.look();
    const after = this.share([px, py]);
    this.middle = [0, 1].map((axis) => this.middle[axis] + before[axis] - after[axis]);
    this.look();
  }

  panBy(dx, dy) {
    this.middle = [this.middle[0] - dx / this.view.width, this.middle[1] - dy / this.view.height];
    this.look();
  }

  look() {
    const { across, down, size } = this;
    const scale = Math.min(across / size[0], down / size[1]) * this.zoom;
    const [width, height] = [size[0] * scale, size[1] * scale];
    const kept = (middle, seen, whole) => (seen >= whole ? 0.5 : Math.min(Math.max(middle, seen / whole / 2), 1 - seen / whole / 2));
    this.middle = [kept(this.middle[0], across, width), kept(this.middle[1], down, height)];
    this.view = { left: across / 2 - this.middle[0] * width, top: down / 2 - this.middle[1] * height, width, height };
  }

  // scene: image, size, zones, pages, chosen, corner, drawn, pointer, palette, grey
  paint(scene) {
    this.across = this.stage.clientWidth;
    if (!this.across) return false;
    this.size = scene.size;
    this.down = Math.round(Math.min((this.across * scene.size[1]) / scene.size[0], window.innerHeight * SHARE_OF_WINDOW));
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.element, { width: Math.round(this.across * ratio), height: Math.round(this.down * ratio) });
    this.element.style.height = `${this.down}px`;
    this.look();
    const pen = this.element.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = "#1c1c1c";
    pen.fillRect(0, 0, this.across, this.down);
    const { left, top, width, height } = this.view;
    if (scene.image) pen.drawImage(scene.image, left, top, width, height);
    for (const page of scene.pages) this.outline(pen, { ...page, name: `page ${page.name}` }, scene.grey, false);
    scene.zones.forEach((zone, number) => {
      if (number !== scene.chosen) this.outline(pen, zone, this.colour(scene, number), false);
    });
    const chosen = scene.zones[scene.chosen];
    if (chosen) {
      this.outline(pen, chosen, this.colour(scene, scene.chosen), true);
      this.handles(pen, chosen, scene.corner);
    }
    if (scene.drawn) this.drawing(pen, scene);
    return Boolean(scene.image);
  }

  colour(scene, number) {
    return scene.zones[number].ignore_motion ? "#BBBBBB" : scene.palette[number % scene.palette.length];
  }

  path(pen, zone) {
    pen.beginPath();
    cornersOf(zone).forEach((corner, at) => (at ? pen.lineTo(...this.place(corner)) : pen.moveTo(...this.place(corner))));
    if (!isLine(zone)) pen.closePath();
  }

  stroke(pen, colour, thickness) {
    // a dark edge: seen on any ground
    for (const [ink, width] of [["rgba(0,0,0,.65)", thickness + 2], [colour, thickness]]) {
      pen.strokeStyle = ink;
      pen.lineWidth = width;
      pen.stroke();
    }
  }

  outline(pen, zone, colour, strong) {
    this.path(pen, zone);
    if (!isLine(zone)) {
      pen.globalAlpha = strong ? 0.25 : 0.12;
      pen.fillStyle = colour;
      pen.fill();
      pen.globalAlpha = 1;
    }
    pen.setLineDash(zone.ignore_motion ? [7, 5] : []);
    this.stroke(pen, colour, strong ? LINE * 1.5 : LINE);
    pen.setLineDash([]);
    if (isLine(zone)) this.arrows(pen, zone, colour);
    this.title(pen, zone, colour, strong);
  }

  // Both ways over a line, as the task "cross" names them: to the left and right of who walks from end 1 to end 2.
  arrows(pen, zone, colour) {
    const [[x1, y1], [x2, y2]] = zone.line.map((end) => this.place(end));
    const long = Math.hypot(x2 - x1, y2 - y1) || 1;
    const share = (ARROW * Math.min(this.view.width, this.view.height)) / long;
    const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
    for (const [text, sign] of [["left", 1], ["right", -1]]) {
      const tip = [x + sign * share * (y2 - y1), y + sign * share * (x1 - x2)];
      const angle = Math.atan2(y - tip[1], x - tip[0]);
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(...tip);
      for (const turn of [0.5, -0.5]) {
        pen.moveTo(...tip);
        pen.lineTo(tip[0] + 9 * Math.cos(angle + turn), tip[1] + 9 * Math.sin(angle + turn));
      }
      this.stroke(pen, colour, 1.5);
      this.text(pen, text, tip[0] + sign * share * (y2 - y1) * 0.25, tip[1] + sign * share * (x1 - x2) * 0.25, colour, "11px");
    }
  }

  title(pen, zone, colour, strong) {
    const places = cornersOf(zone).map((corner) => this.place(corner));
    if (!places.length) return;
    const [x, y] = places.reduce((best, one) => (one[1] < best[1] ? one : best));
    this.text(pen, zone.name + (zone.ignore_motion ? " (motion ignored)" : ""), x, y - 12, colour, strong ? "600 13px" : "12px");
  }

  text(pen, text, x, y, colour, font) {
    pen.font = `${font} system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const long = pen.measureText(text).width + 8;
    const at = Math.min(Math.max(x, long / 2), this.across - long / 2);
    const down = Math.min(Math.max(y, 9), this.down - 9);
    pen.fillStyle = "rgba(0,0,0,.7)";
    pen.fillRect(at - long / 2, down - 9, long, 18);
    pen.fillStyle = "#fff";
    pen.fillText(text, at, down + 0.5);
    pen.fillStyle = colour;
    pen.fillRect(at - long / 2, down + 7, long, 2);
  }

  handles(pen, zone, corner) {
    if (!isLine(zone))
      for (const [one, next] of edgesOf(zone)) {
        const [x, y] = this.place([(one[0] + next[0]) / 2, (one[1] + next[1]) / 2]);
        this.dot(pen, x, y, 4, "rgba(255,255,255,.75)");
      }
    cornersOf(zone).forEach((one, at) => {
      const [x, y] = this.place(one);
      this.dot(pen, x, y, 7, at === corner ? "#F0E442" : "#fff");
      pen.fillStyle = "#111";
      pen.font = "10px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      // reading goes from corner 1 to corner 2, and walking along a line from end 1 to end 2
      if (isLine(zone) || cornersOf(zone).length === 4) pen.fillText(String(at + 1), x, y + 0.5);
    });
  }

  dot(pen, x, y, radius, colour) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = colour;
    pen.fill();
    pen.strokeStyle = "#111";
    pen.lineWidth = 1;
    pen.stroke();
  }

  drawing(pen, { drawn, pointer }) {
    const corners = pointer ? [...drawn, pointer] : drawn;
    pen.beginPath();
    corners.forEach((corner, at) => (at ? pen.lineTo(...this.place(corner)) : pen.moveTo(...this.place(corner))));
    pen.setLineDash([6, 4]);
    this.stroke(pen, "#56B4E9", LINE);
    pen.setLineDash([]);
    drawn.forEach((corner, at) => this.dot(pen, ...this.place(corner), at ? 5 : 7, at ? "#fff" : "#56B4E9"));
  }

  near(point, pixels, reach) {
    const [x, y] = this.place(point);
    return Math.hypot(x - pixels[0], y - pixels[1]) <= reach;
  }

  // What a press takes hold of: {zone, corner}, {zone, edge} (a new corner), {zone} (all of it), or null.
  grip(zones, chosen, pixels, reach) {
    const own = zones[chosen];
    if (own) {
      const corners = cornersOf(own);
      const corner = corners.findLastIndex((one) => this.near(one, pixels, reach));
      if (corner >= 0) return { zone: chosen, corner };
      if (!isLine(own)) {
        const edge = edgesOf(own).findIndex(([a, b]) => this.near([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], pixels, reach * 0.8));
        if (edge >= 0) return { zone: chosen, edge };
      }
    }
    const hits = zones.map((zone, number) => ({ zone, number })).filter(({ zone }) => this.hits(zone, pixels, reach));
    if (!hits.length) return null;
    if (hits.some(({ number }) => number === chosen)) return { zone: chosen };
    // lines before polygons, small before large
    const rank = ({ zone }) => (isLine(zone) ? -1 : areaOf(zone.points));
    return { zone: hits.reduce((best, one) => (rank(one) < rank(best) ? one : best)).number };
  }

  hits(zone, pixels, reach) {
    if (!isLine(zone)) return insidePolygon(zone.points, this.share(pixels));
    return edgesOf(zone).some(([one, next]) => fromEdge(pixels, this.place(one), this.place(next)) <= reach);
  }
}
