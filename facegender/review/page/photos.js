// Every face of a photo: those that were found are answered, those that were missed are drawn.

import {
  $, WORDS, alarm, alone, get, labelOf, onKey, pace, post, press, progress, say, stop,
} from "./common.js";

const SVG = "http://www.w3.org/2000/svg";
const AHEAD = 3;
const STEP = 0.02; // of the photo's longer side, for a key
const LEAST = 8; // pixels of the photo

const state = await get("state");
const closed = state.photos;
const choices = [...document.querySelectorAll("[data-label]")];
const entries = new Map();
let current = 0; // photo
let faces = [], size = [1, 1], found = 0;
let face = 0; // place in `faces`; `faces.length` asks for further ones
let draft = null; // [x, y, width, height] of a face that is being drawn

function entry(number) {
  if (!entries.has(number)) {
    const image = new Image();
    image.src = `photo/${number}`;
    entries.set(number, image.decode().then(() => image, () => null));
  }
  return entries.get(number);
}

async function show(number) {
  current = number;
  draft = null;
  $("heading").textContent = `Photo ${number + 1} of ${closed.length}`;
  const [image, known] = await Promise.all([
    entry(number), get(`photo/${number}/faces`).catch(() => null),
  ]);
  if (current !== number) return;
  $("lost").hidden = Boolean(image && known);
  ({ faces, size, found } = known ?? { faces: [], size: [1, 1], found: 0 });
  if (image) {
    image.alt = `Photo ${number + 1} of ${closed.length}, ${faces.length} faces marked`;
    $("picture").replaceChildren(image);
    $("stage").style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
  } else {
    $("picture").replaceChildren();
  }
  select(nextFace(-1));
  for (const n of entries.keys()) if (Math.abs(n - number) > AHEAD) entries.delete(n);
  for (let n = number + 1; n <= Math.min(number + AHEAD, closed.length - 1); n++) entry(n);
}

function nextFace(after) {
  const next = faces.findIndex((one, n) => n > after && !one.label);
  return next < 0 ? faces.length : next;
}

function select(place) {
  face = place;
  draw();
  const open = face >= faces.length && !draft;
  const which = draft ? "New face" : `Face ${face + 1} of ${faces.length}`;
  $("question").textContent = open
    ? "Does the photo show any further face?"
    : `${which}: how is the framed face perceived?`;
  $("hint").hidden = false;
  $("hint").textContent = draft
    ? "Arrows move the frame, with Shift they resize it; F, M or U saves it, Escape drops it."
    : open ? "Drag a frame around each face that was missed, or press A. Enter: there is none."
      : "";
  for (const button of choices) {
    button.disabled = open || (button.dataset.label === "not_face" && (draft || face >= found));
  }
  press(choices, open || draft ? "" : faces[face].label, "label");
  $("done").disabled = Boolean(draft) || nextFace(-1) < found;
}

function draw() {
  const [width, height] = size;
  $("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
  const rects = faces.flatMap((one, n) => {
    const kind = !draft && n === face ? "current" : one.label ? "answered" : "";
    return [rect(one.box, "under"), rect(one.box, kind)];
  });
  if (draft) rects.push(rect(draft, "under"), rect(draft, "current"));
  $("boxes").replaceChildren(...rects);
}

function rect(box, kind) {
  const shape = document.createElementNS(SVG, "rect");
  ["x", "y", "width", "height"].forEach((name, i) => shape.setAttribute(name, box[i]));
  shape.setAttribute("class", kind);
  return shape;
}

function update(answer) {
  Object.assign(state, { agreement: answer.agreement ?? state.agreement });
  progress(closed.filter(Boolean).length, closed.length, state.agreement, "photos");
}

async function answer(label) {
  await alone(async () => {
    if (draft) {
      if (label === "not_face") return;
      const box = draft.map(Math.round);
      const saved = await post("add", { photo: current, box, label });
      faces.push({ number: saved.face, box, label });
      draft = null;
      update(saved);
    } else if (face < faces.length) {
      if (label === "not_face" && face >= found) return;
      update(await post("answer", { face: faces[face].number, label }));
      faces[face].label = label;
    } else {
      return;
    }
    select(nextFace(face));
    say(`${WORDS[label]}. ${$("question").textContent}`);
  });
}

async function done() {
  if (draft || nextFace(-1) < found) return;
  await alone(async () => {
    const finished = await post("close", { photo: current });
    closed[current] = true;
    pace();
    update(finished);
    const next = closed.findIndex((one, n) => !one && n > current);
    const open = next < 0 ? closed.indexOf(false) : next;
    if (open < 0) {
      say("Every photo is done.");
      $("question").textContent = "Every photo is done.";
      $("hint").textContent = "Go back with the arrow keys, or stop.";
    } else {
      await show(open);
      say(`Photo ${open + 1} of ${closed.length}. ${$("question").textContent}`);
    }
  });
}

async function undo() {
  await alone(async () => {
    const back = await post("undo");
    if (back.face === null) { say("There is nothing to undo."); return; }
    closed[back.photo] = false;
    update(back);
    await show(back.photo);
    const place = faces.findIndex((one) => one.number === back.face);
    select(place < 0 ? nextFace(-1) : place);
    say(`Undone. ${$("question").textContent}`);
  });
}

function step(by) {
  const place = face + by;
  if (place >= 0 && place <= faces.length) { select(place); say($("question").textContent); return; }
  const to = current + by;
  if (to >= 0 && to < closed.length) show(to);
}

// Drawing.

function start() {
  const side = Math.max(LEAST, Math.round(0.2 * Math.min(...size)));
  draft = [Math.round((size[0] - side) / 2), Math.round((size[1] - side) / 2), side, side];
  select(faces.length);
  say($("hint").textContent);
}

function kept([x, y, width, height]) {
  width = Math.min(Math.max(width, LEAST), size[0]);
  height = Math.min(Math.max(height, LEAST), size[1]);
  return [
    Math.min(Math.max(x, 0), size[0] - width), Math.min(Math.max(y, 0), size[1] - height),
    width, height,
  ].map(Math.round);
}

function nudge(key, shift) {
  const by = Math.max(1, STEP * Math.max(...size));
  const across = { ArrowLeft: -by, ArrowRight: by }[key] ?? 0;
  const down = { ArrowUp: -by, ArrowDown: by }[key] ?? 0;
  const [x, y, width, height] = draft;
  draft = kept(shift
    ? [x - across / 2, y - down / 2, width + across, height + down]
    : [x + across, y + down, width, height]);
  draw();
}

function point(event) {
  const at = new DOMPoint(event.clientX, event.clientY);
  const { x, y } = at.matrixTransform($("boxes").getScreenCTM().inverse());
  return [Math.min(Math.max(x, 0), size[0]), Math.min(Math.max(y, 0), size[1])];
}

let from = null;
$("stage").addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  from = point(event);
  $("stage").setPointerCapture(event.pointerId);
});
$("stage").addEventListener("pointermove", (event) => {
  if (!from) return;
  const [x, y] = point(event);
  const width = Math.abs(x - from[0]), height = Math.abs(y - from[1]);
  if (width < LEAST || height < LEAST) return;
  draft = kept([Math.min(x, from[0]), Math.min(y, from[1]), width, height]);
  select(faces.length);
});
$("stage").addEventListener("pointerup", (event) => {
  const [x, y] = point(event);
  const moved = from && (Math.abs(x - from[0]) >= LEAST || Math.abs(y - from[1]) >= LEAST);
  from = null;
  if (moved) { say($("hint").textContent); return; }
  const hit = faces.findIndex(({ box: [left, top, width, height] }) =>
    x >= left && x <= left + width && y >= top && y <= top + height);
  if (hit >= 0) { draft = null; select(hit); }
});
$("stage").addEventListener("pointercancel", () => { from = null; });

// Keys and buttons.

onKey((key, event) => {
  if (!$("ended").hidden) return false;
  const onButton = document.activeElement?.tagName === "BUTTON";
  if (labelOf(key)) { if (!event.repeat) answer(labelOf(key)); }
  else if (draft && key.startsWith("Arrow")) nudge(key, event.shiftKey);
  else if (key === "ArrowLeft" || key === "ArrowRight") step(key === "ArrowLeft" ? -1 : 1);
  else if (key === "Escape" && draft) { draft = null; select(nextFace(-1)); }
  else if (key === "a") { if (!event.repeat) start(); }
  else if (key === "z") { if (!event.repeat) undo(); }
  else if (key === "Enter" && !onButton) { if (!event.repeat) done(); }
  else return false;
  return true;
});
for (const button of choices) button.addEventListener("click", () => answer(button.dataset.label));
$("draw").addEventListener("click", start);
$("done").addEventListener("click", done);
$("back").addEventListener("click", () => step(-1));
$("on").addEventListener("click", () => step(1));
$("undo").addEventListener("click", undo);
$("stop").addEventListener("click", stop);
addEventListener("unhandledrejection", (event) => alarm(event.reason));

update(state);
const begin = closed.indexOf(false);
await show(begin < 0 ? 0 : begin);
document.body.dataset.ready = "yes";
