// How a joint is drawn: its box and what is round it, from the slices of its view.

const LEAST = 1.2, MOST = 12;

export class Look {
  constructor() { this.reset(); }
  reset() { this.zoom = 2.2; this.contrast = 1; this.brightness = 1; this.inverted = false; }
  wider(times) { this.zoom = Math.min(MOST, Math.max(LEAST, this.zoom * times)); }
  harder(times) { this.contrast = Math.min(8, Math.max(0.25, this.contrast * times)); }
  brighter(times) { this.brightness = Math.min(4, Math.max(0.25, this.brightness * times)); }
  get filter() { return `${this.inverted ? "invert(1) " : ""}brightness(${this.brightness}) contrast(${this.contrast})`; }
}

// The part of the picture that is shown: a square round the box.
export function part(roi, zoom) {
  const [xmin, ymin, xmax, ymax] = roi;
  const side = zoom * Math.max(xmax - xmin, ymax - ymin);
  return { x: (xmin + xmax - side) / 2, y: (ymin + ymax - side) / 2, side };
}

export function draw(figure, picture, roi, look, caption) {
  const canvas = figure.querySelector("canvas"), box = figure.querySelector(".box");
  const { x, y, side } = part(roi, look.zoom);
  const context = canvas.getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (picture) context.drawImage(picture, x, y, side, side, 0, 0, canvas.width, canvas.height);
  canvas.style.filter = look.filter;
  const share = (from, to) => `${(100 * (to - from)) / side}%`;
  Object.assign(box.style, {
    left: share(x, roi[0]), top: share(y, roi[1]), width: share(roi[0], roi[2]), height: share(roi[1], roi[3]),
  });
  figure.querySelector("figcaption").textContent = caption;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", caption);
}

export function clear(figure, caption) {
  const canvas = figure.querySelector("canvas");
  canvas.getContext("2d", { alpha: false }).fillRect(0, 0, canvas.width, canvas.height);
  Object.assign(figure.querySelector(".box").style, { width: "0", height: "0" });
  figure.querySelector("figcaption").textContent = caption;
  canvas.setAttribute("aria-label", caption);
}

export function emptyFigure(size) {
  const figure = document.createElement("figure"), canvas = document.createElement("canvas");
  figure.className = "view";
  canvas.width = canvas.height = size;
  const box = document.createElement("span");
  box.className = "box";
  figure.append(canvas, box, document.createElement("figcaption"));
  return figure;
}

// Pictures of one address are loaded and decoded once, for as long as a joint needs them.
const loading = new Map();

export function load(address) {
  if (!loading.has(address)) {
    const picture = new Image();
    picture.src = address;
    const failed = () => { loading.delete(address); return null; };  // and is tried again when it is asked for again
    loading.set(address, picture.decode().then(() => picture, failed));
  }
  return loading.get(address);
}

export function forget(addresses) {
  for (const address of loading.keys()) if (!addresses.has(address)) loading.delete(address);
}
