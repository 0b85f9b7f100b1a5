// The canvas of LabelReview: picture, boxes, and dragging of their handles. review.py puts this before review.js.

const LINE = 2; // of a box, CSS pixels
const HANDLE = 9; // side of a handle, and how near one must be to take it
const FAINT = 0.75; // of boxes that are not in question
const SHARE_OF_WINDOW = 0.62; // height of the picture at most
const ROOM = 1.5; // zoomed: sides of a box that the view shows
const MOST_ZOOM = 8;
const COLOURS = {
  open: "#FFFFFF", right: "#009E73", wrong: "#D55E00", fixed: "#0072B2", drawn: "#56B4E9", asked: "#F0E442",
};
const DARK_TEXT = ["open", "asked", "drawn"];
const MARKS = { right: "✓ ", wrong: "✗ ", fixed: "✎ ", drawn: "+ " };
const EDGES = [[0, 0], [0.5, 0], [1, 0], [0, 0.5], [1, 0.5], [0, 1], [0.5, 1], [1, 1]];

const make = (tag, name, parent, text = "") => {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  parent?.append(element);
  return element;
};

const ordered = ([x1, y1, x2, y2]) => [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
const inside = ([x1, y1, x2, y2], [x, y]) => x >= x1 && x <= x2 && y >= y1 && y <= y2;
const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

// Moves a box as a whole back into a picture of that size.
const movedInside = (xyxy, size) => {
  const box = [...xyxy];
  for (const axis of [0, 1]) {
    const shift = Math.max(0, -box[axis]) || Math.min(0, size[axis] - box[axis + 2]);
    box[axis] += shift;
    box[axis + 2] += shift;
  }
  return box;
};
const cutAt = (xyxy, size) => xyxy.map((value, edge) => Math.min(Math.max(value, 0), size[edge % 2]));

// What a drag from a point takes hold of: the numbers of the edges that move with it, or null.
const grip = (box, [px, py], scale) => {
  if (!box) return null;
  const reach = HANDLE / scale;
  const [x1, y1, x2, y2] = box;
  if (px < x1 - reach || px > x2 + reach || py < y1 - reach || py > y2 + reach) return null;
  // of a box smaller than its handles, the nearer edge
  const side = (at, low, high) => {
    const [toLow, toHigh] = [Math.abs(at - low), Math.abs(at - high)];
    if (Math.min(toLow, toHigh) > reach) return null;
    return toLow <= toHigh ? 0 : 2;
  };
  const [across, down] = [side(px, x1, x2), side(py, y1, y2)];
  const edges = [across, down === null ? null : down + 1].filter((edge) => edge !== null);
  return edges.length ? edges : [0, 1, 2, 3];
};

const cursorOf = (edges) => {
  if (!edges) return "crosshair";
  if (edges.length === 4) return "move";
  if (edges.length === 1) return edges[0] % 2 ? "ns-resize" : "ew-resize";
  return edges[1] - edges[0] === 1 ? (edges[0] ? "nesw-resize" : "nwse-resize") : edges[0] ? "nwse-resize" : "nesw-resize";
};

class Canvas {
  constructor(stage) {
    this.stage = stage;
    this.element = make("canvas", "", stage);
    this.view = { x: 0, y: 0, scale: 1 };
  }

  // Pixels of the clip under the pointer.
  at(event) {
    const place = this.element.getBoundingClientRect();
    const { x, y, scale } = this.view;
    return [x + (event.clientX - place.left) / scale, y + (event.clientY - place.top) / scale];
  }

  // scene: image, size, text (instead of an image), boxes ({xyxy, label, state, strong}), active, zoomed, held
  paint(scene) {
    const width = this.stage.clientWidth;
    if (!width) return false;
    const [w, h] = scene.size;
    const height = Math.round(Math.min((width * h) / w, window.innerHeight * SHARE_OF_WINDOW));
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.element, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    this.element.style.height = `${height}px`;
    const pen = this.element.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = "#1c1c1c";
    pen.fillRect(0, 0, width, height);
    if (!scene.image) {
      this.write(pen, width, height, scene.text);
      return false;
    }
    if (!scene.held) this.look(width, height, scene);
    const { x, y, scale } = this.view;
    pen.drawImage(scene.image, -x * scale, -y * scale, w * scale, h * scale);
    for (const box of scene.boxes) this.box(pen, box);
    if (scene.active) this.handles(pen, scene.active);
    return true;
  }

  write(pen, width, height, text) {
    pen.fillStyle = "#bbb";
    pen.font = "15px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.fillText(text, width / 2, height / 2);
  }

  // Which part is seen: all of the picture, in the middle, or the surroundings of the box in question.
  look(width, height, { size: [w, h], active, zoomed }) {
    let scale = Math.min(width / w, height / h);
    let [x, y] = [w / 2, h / 2];
    if (zoomed && active) {
      const [x1, y1, x2, y2] = active;
      const wanted = Math.min(width / ((x2 - x1) * ROOM), height / ((y2 - y1) * ROOM));
      scale = Math.max(scale, Math.min(wanted, scale * MOST_ZOOM));
      const within = (middle, half, side) => (2 * half > side ? side / 2 : Math.min(Math.max(middle, half), side - half));
      x = within((x1 + x2) / 2, width / scale / 2, w);
      y = within((y1 + y2) / 2, height / scale / 2, h);
    }
    this.view = { x: x - width / scale / 2, y: y - height / scale / 2, scale };
  }

  onScreen([x1, y1, x2, y2]) {
    const { x, y, scale } = this.view;
    return [(x1 - x) * scale, (y1 - y) * scale, (x2 - x1) * scale, (y2 - y1) * scale];
  }

  box(pen, { xyxy, label, state, strong }) {
    const [left, top, width, height] = this.onScreen(xyxy);
    const line = strong ? LINE * 2 : LINE;
    pen.globalAlpha = strong ? 1 : FAINT;
    pen.setLineDash(state === "wrong" ? [6, 5] : []);
    // a dark edge: seen on any ground
    for (const [colour, thickness] of [["rgba(0,0,0,.65)", line + 2], [COLOURS[state], line]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thickness;
      pen.strokeRect(left, top, width, height);
    }
    pen.setLineDash([]);
    pen.font = `${strong ? "600 14px" : "12px"} system-ui, sans-serif`;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    const text = (MARKS[state] ?? "") + label;
    const tall = strong ? 22 : 18;
    const long = pen.measureText(text).width + 10;
    const tagX = Math.min(Math.max(left - line / 2, 0), Math.max(0, this.stage.clientWidth - long));
    const tagY = top >= tall ? top - tall : top + line / 2;
    pen.fillStyle = COLOURS[state];
    pen.fillRect(tagX, tagY, long, tall);
    pen.fillStyle = DARK_TEXT.includes(state) ? "#111" : "#fff";
    pen.fillText(text, tagX + 5, tagY + tall / 2 + 0.5);
    pen.globalAlpha = 1;
  }

  handles(pen, xyxy) {
    const [left, top, width, height] = this.onScreen(xyxy);
    pen.fillStyle = "#fff";
    pen.strokeStyle = "#111";
    pen.lineWidth = 1;
    for (const [across, down] of EDGES) {
      const [x, y] = [left + across * width - HANDLE / 2, top + down * height - HANDLE / 2];
      pen.fillRect(x, y, HANDLE, HANDLE);
      pen.strokeRect(x, y, HANDLE, HANDLE);
    }
  }
}
