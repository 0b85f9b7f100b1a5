// Boxes over a picture, in the style of shared_utils/media/draw.py. player.py and live/watch.py put this before their own.

const DARK = "#222222";

function make(tag, className, parent, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  parent.append(element);
  return element;
}

function textOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue >= 150 ? DARK : "#FFFFFF";
}

// Draws boxes over a picture. `size`: width and height that their corners are measured in; `shown`: { box, between }, where a
// box is label, score, x1, y1, x2, y2, track, and dashed if it lies `between` two analysed frames.
function drawBoxes(canvas, size, shown, colourOf) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const [scaleX, scaleY] = [width / size.width, height / size.height];
  const line = Math.max(2, Math.round(Math.min(width, height) / 220));
  const letters = Math.max(11, Math.round(Math.min(width, height) / 30));
  pen.font = `600 ${letters}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  const places = shown
    .map(({ box, between }) => ({ box, between, x: Math.round(box[2] * scaleX), y: Math.round(box[3] * scaleY) }))
    .sort((one, other) => one.box[1] - other.box[1]);
  for (const { box, between, x, y } of places) {
    const colour = colourOf(box[6]);
    const [w, h] = [Math.round(box[4] * scaleX) - x, Math.round(box[5] * scaleY) - y];
    pen.lineWidth = between ? line : line + 2;
    pen.setLineDash([]);
    pen.strokeStyle = between ? textOn(colour) : DARK;
    pen.strokeRect(x, y, w, h);
    pen.lineWidth = line;
    pen.setLineDash(between ? [3 * line, 3 * line] : []);
    pen.strokeStyle = colour;
    pen.strokeRect(x, y, w, h);
  }
  pen.setLineDash([]);
  for (const { box, x, y } of places) {
    const colour = colourOf(box[6]);
    const text = `${box[0]}${box[6] === null ? "" : ` #${box[6]}`} ${box[1].toFixed(2)}`;
    const [w, h] = [pen.measureText(text).width + 8, letters + 6];
    const left = Math.min(Math.max(0, x - line / 2), Math.max(0, width - w));
    const top = Math.min(Math.max(0, y - h), Math.max(0, height - h));
    pen.fillStyle = colour;
    pen.fillRect(left, top, w, h);
    pen.fillStyle = textOn(colour);
    pen.fillText(text, left + 4, top + h / 2 + 0.5);
  }
}
