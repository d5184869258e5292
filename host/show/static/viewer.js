"use strict";

// Two versions of a picture under a slider, with zoom, pan and a loupe. Used by the page of --page, the notebook and the
// server: `new Viewer(element).show({name, width, height, panels: [{name, caption, src}]})`.

const LOUPE_SIDE = 17;  // pixels of the picture, odd: one is in the middle
const LOUPE_SCALE = 8;
const LEAST_ZOOM = 1 / 64, MOST_ZOOM = 64;
const KEYS = [
  [", .", "slider to the left, to the right (with Shift: ten times as far)"],
  ["arrows", "move the picture, or the loupe by a pixel (with Shift: ten times as far)"],
  ["+ −", "larger, smaller"],
  ["0 1", "whole picture, pixel for pixel"],
  ["l", "loupe"],
  ["x", "exchange left and right"],
  ["p n", "previous, next picture"],
];

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

// Whether a key belongs to what has the focus: all keys to lists and texts, arrows and the like to a slider.
function isTaken(event) {
  const field = event.target.closest && event.target.closest("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  return Boolean(field) && (field.type !== "range" || /^(Arrow|Page|Home|End)/.test(event.key));
}

function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.zoom = 1;
    this.x = this.y = 0;  // of the picture's corner, in pixels of the stage
    this.split = 0.5;     // of the stage's width
    this.point = null;    // under the loupe, in pixels of the picture
    this.loupeOn = false;
    this.fitted = true;   // until somebody zooms or pans, the whole picture stays in view
    this.fingers = new Map();
    this.build();
    this.listen();
  }

  build() {
    const button = (text, label, act, name) =>
      element("button", {type: "button", textContent: text, title: label, className: name || "", "aria-label": label, onclick: act});
    this.choice = {left: element("select", {"aria-label": "on the left"}), right: element("select", {"aria-label": "on the right"})};
    this.scale = element("output", {className: "scale"});
    this.loupeButton = button("Loupe", "loupe: enlarged pixels and their values (l)", () => this.toggleLoupe(), "loupe-button");
    this.loupeButton.setAttribute("aria-pressed", "false");
    const bar = element("div", {className: "bar", role: "toolbar", "aria-label": "view"},
      this.choice.left, button("⇄", "exchange left and right (x)", () => this.exchange()), this.choice.right,
      button("Fit", "whole picture (0)", () => this.fit(), "fit"), button("1:1", "pixel for pixel (1)", () => this.pixelForPixel(), "one"),
      button("−", "smaller (-)", () => this.zoomBy(1 / 1.5)), button("+", "larger (+)", () => this.zoomBy(1.5)),
      this.scale, this.loupeButton);
    this.layers = {};
    for (const side of ["right", "left"]) {
      const picture = element("img", {alt: "", draggable: false});
      this.layers[side] = {picture, frame: element("div", {className: `layer ${side}`}, picture), caption: element("div", {className: `caption ${side}`})};
    }
    this.divider = element("div", {className: "divider"}, element("div", {className: "handle", textContent: "⇔"}));
    this.mark = element("div", {className: "mark", hidden: true});
    this.stage = element("div", {className: "stage", tabIndex: 0, role: "group", "aria-label": "picture: drag to move, wheel or two fingers to zoom"},
      this.layers.right.frame, this.layers.left.frame, this.mark, this.divider, this.layers.left.caption, this.layers.right.caption);
    this.slider = element("input", {type: "range", className: "slider", min: 0, max: 1000, value: 500, "aria-label": "slider: how much of the left picture is shown"});
    this.loupe = element("div", {className: "loupe", hidden: true, "aria-live": "polite"});
    const keys = element("dl", {}, ...KEYS.flatMap(([key, does]) => [element("dt", {textContent: key}), element("dd", {textContent: does})]));
    const help = element("details", {className: "keys"}, element("summary", {textContent: "Keys"}), keys);
    this.root.classList.add("viewer");
    this.root.replaceChildren(bar, this.stage, this.slider, this.loupe, help);
  }

  // What is shown ------------------------------------------------------------------------------------------------

  show(item) {
    this.item = item;
    this.point = null;
    for (const [side, index] of [["left", 0], ["right", 1]]) {
      this.choice[side].replaceChildren(...item.panels.map((panel, i) => element("option", {value: i, textContent: panel.name})));
      this.choice[side].selectedIndex = Math.min(index, item.panels.length - 1);
    }
    this.sources = item.panels.map((panel) => Object.assign(new Image(), {src: panel.src, onload: () => this.drawLoupe()}));
    this.fitted = true;
    this.choose();
    this.fit();
  }

  choose() {
    for (const side of ["left", "right"]) {
      const panel = this.item.panels[this.choice[side].selectedIndex];
      const layer = this.layers[side];
      layer.picture.src = panel.src;
      layer.picture.alt = `${this.item.name}: ${panel.caption}`;
      layer.picture.width = this.item.width;
      layer.picture.height = this.item.height;
      layer.caption.textContent = panel.caption;
    }
    this.drawLoupe();
  }

  exchange() {
    const {left, right} = this.choice;
    [left.selectedIndex, right.selectedIndex] = [right.selectedIndex, left.selectedIndex];
    this.choose();
  }

  // Where it is shown --------------------------------------------------------------------------------------------

  place() {
    const width = this.stage.clientWidth, height = this.stage.clientHeight;
    const wide = this.item.width * this.zoom, high = this.item.height * this.zoom;
    const margin = 40;  // of the picture that always stays in view
    this.x = wide <= width && this.fitted ? (width - wide) / 2 : clamp(this.x, margin - wide, width - margin);
    this.y = high <= height && this.fitted ? (height - high) / 2 : clamp(this.y, margin - high, height - margin);
    for (const {picture} of Object.values(this.layers)) {
      picture.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.zoom})`;
      picture.style.imageRendering = this.zoom * devicePixelRatio >= 2 ? "pixelated" : "auto";
    }
    this.layers.left.frame.style.clipPath = `inset(0 ${(1 - this.split) * 100}% 0 0)`;
    this.divider.style.left = `${this.split * 100}%`;
    this.slider.value = Math.round(this.split * 1000);
    this.scale.textContent = `${Math.round(this.zoom * devicePixelRatio * 100)} %`;
    this.placeMark();
  }

  fit() {
    this.fitted = true;
    this.zoom = clamp(Math.min(this.stage.clientWidth / this.item.width, this.stage.clientHeight / this.item.height), LEAST_ZOOM, MOST_ZOOM);
    this.place();
  }

  pixelForPixel() {
    this.zoomBy(1 / devicePixelRatio / this.zoom);
  }

  zoomBy(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const zoom = clamp(this.zoom * factor, LEAST_ZOOM, MOST_ZOOM), real = zoom / this.zoom;
    this.fitted = false;
    this.x = x - (x - this.x) * real;  // what is under the pointer stays there
    this.y = y - (y - this.y) * real;
    this.zoom = zoom;
    this.place();
  }

  pan(x, y) {
    this.fitted = false;
    this.x += x;
    this.y += y;
    this.place();
  }

  slide(split) {
    this.split = clamp(split, 0, 1);
    this.place();
  }

  // The loupe ----------------------------------------------------------------------------------------------------

  toggleLoupe() {
    this.loupeOn = !this.loupeOn;
    this.loupeButton.setAttribute("aria-pressed", String(this.loupeOn));
    this.loupe.hidden = !this.loupeOn;
    if (this.loupeOn && !this.point) {
      const middle = this.toPicture(this.stage.clientWidth / 2, this.stage.clientHeight / 2);
      this.look(...middle);
    }
    this.drawLoupe();
    this.placeMark();
  }

  toPicture(x, y) {
    return [Math.floor((x - this.x) / this.zoom), Math.floor((y - this.y) / this.zoom)];
  }

  look(column, row) {
    this.point = [clamp(column, 0, this.item.width - 1), clamp(row, 0, this.item.height - 1)];
    this.drawLoupe();
    this.placeMark();
  }

  placeMark() {
    this.mark.hidden = !(this.loupeOn && this.point);
    if (this.mark.hidden) return;
    const side = LOUPE_SIDE * this.zoom, half = (LOUPE_SIDE - 1) / 2;
    Object.assign(this.mark.style, {
      width: `${side}px`, height: `${side}px`,
      left: `${this.x + (this.point[0] - half) * this.zoom}px`, top: `${this.y + (this.point[1] - half) * this.zoom}px`,
    });
  }

  drawLoupe() {
    if (!this.loupeOn || !this.point) return;
    const [column, row] = this.point, half = (LOUPE_SIDE - 1) / 2, side = LOUPE_SIDE * LOUPE_SCALE;
    const views = this.item.panels.map((panel, i) => {
      const canvas = element("canvas", {width: side, height: side, role: "img", "aria-label": `${panel.name}, enlarged`});
      const pen = canvas.getContext("2d", {willReadFrequently: true}), source = this.sources[i];
      let values = "…";
      if (source.complete && source.naturalWidth) {
        pen.imageSmoothingEnabled = false;
        pen.drawImage(source, column - half, row - half, LOUPE_SIDE, LOUPE_SIDE, 0, 0, side, side);
        const middle = Math.floor(side / 2);
        const [red, green, blue, alpha] = pen.getImageData(middle, middle, 1, 1).data;
        values = `${red} ${green} ${blue}${alpha < 255 ? `, alpha ${alpha}` : ""}`;
      }
      pen.strokeStyle = "#ff5a36";
      pen.strokeRect(half * LOUPE_SCALE - 0.5, half * LOUPE_SCALE - 0.5, LOUPE_SCALE + 1, LOUPE_SCALE + 1);
      return element("figure", {}, canvas, element("figcaption", {},
        element("b", {textContent: panel.name}), element("span", {className: "values", textContent: values})));
    });
    this.loupe.replaceChildren(element("p", {className: "where", textContent: `pixel ${column}, ${row}`}), ...views);
  }

  // Mouse, fingers, keys -----------------------------------------------------------------------------------------

  listen() {
    for (const side of ["left", "right"]) this.choice[side].addEventListener("change", () => this.choose());
    this.slider.addEventListener("input", () => this.item && this.slide(this.slider.value / 1000));
    this.stage.addEventListener("wheel", (event) => {
      if (!this.item) return;
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...this.inStage(event));
    }, {passive: false});
    this.stage.addEventListener("pointerdown", (event) => this.press(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(end, (event) => {
        this.fingers.delete(event.pointerId);
        this.sliding = false;
      });
    }
    document.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.item && (this.fitted ? this.fit() : this.place())).observe(this.stage);
  }

  inStage(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left - this.stage.clientLeft, event.clientY - box.top - this.stage.clientTop];
  }

  press(event) {
    if (!this.item || event.button) return;
    const [x, y] = this.inStage(event);
    this.stage.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, [x, y]);
    this.sliding = this.fingers.size === 1 && Math.abs(x - this.split * this.stage.clientWidth) < 18;
    if (this.loupeOn && !this.sliding) this.look(...this.toPicture(x, y));
  }

  move(event) {
    if (!this.item) return;
    const now = this.inStage(event), before = this.fingers.get(event.pointerId);
    if (!before) {
      if (this.loupeOn && event.pointerType === "mouse") this.look(...this.toPicture(...now));
      return;
    }
    if (this.sliding) {
      this.slide(now[0] / this.stage.clientWidth);
    } else if (this.fingers.size === 2) {
      const other = [...this.fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (point) => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
      this.zoomBy(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    } else {
      this.pan(now[0] - before[0], now[1] - before[1]);
    }
    this.fingers.set(event.pointerId, now);
  }

  key(event) {
    if (!this.item || isTaken(event) || !this.root.offsetParent) return;
    const step = event.shiftKey ? 10 : 1;
    const arrows = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
    const acts = {
      ",": () => this.slide(this.split - 0.01), ".": () => this.slide(this.split + 0.01),
      "<": () => this.slide(this.split - 0.1), ">": () => this.slide(this.split + 0.1),
      ";": () => this.slide(this.split - 0.1), ":": () => this.slide(this.split + 0.1),
      "+": () => this.zoomBy(1.5), "=": () => this.zoomBy(1.5), "-": () => this.zoomBy(1 / 1.5),
      "0": () => this.fit(), "1": () => this.pixelForPixel(),
      "l": () => this.toggleLoupe(), "x": () => this.exchange(),
    };
    if (arrows[event.key]) {
      const [right, down] = arrows[event.key];
      if (this.loupeOn) this.look(this.point[0] + right * step, this.point[1] + down * step);
      else this.pan(-right * step * 20, -down * step * 20);
    } else if (acts[event.key]) {
      acts[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  }
}
