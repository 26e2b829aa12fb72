// One face after the other, then a grid to look over.

import {
  $, WORDS, alarm, alone, drawn, get, labelOf, onKey, pace, post, press, progress, say, send, stop,
} from "./common.js";

const WINDOW = 2.6; // as pictures.py cuts
const BEFORE = 3, AFTER = 10, PART = 96;

const state = await get("state");
const { labels, boxes, answers } = state;
const choices = [...document.querySelectorAll("[data-label]")];
const filters = [...document.querySelectorAll("[data-filter]")];
let current = 0, filter = "", first = 0;

// Decoded pictures around the present one; the element itself goes into the page.
const pictures = new Map();

function picture(number) {
  if (!pictures.has(number)) {
    const image = new Image();
    image.src = `face/${number}`;
    const entry = { image, ready: false, lost: false };
    entry.done = image.decode().then(
      () => { entry.ready = true; },
      () => { entry.lost = true; },
    );
    pictures.set(number, entry);
  }
  return pictures.get(number);
}

function prefetch() {
  const wanted = new Set([current]);
  for (let n = current - 1; n >= Math.max(0, current - BEFORE); n--) wanted.add(n);
  let open = 0;
  for (let n = current + 1; n < labels.length && open < AFTER; n++) {
    if (!labels[n] || n < current + BEFORE) { wanted.add(n); open++; }
  }
  for (const n of pictures.keys()) if (!wanted.has(n)) pictures.delete(n);
  for (const n of wanted) picture(n);
}

function place(image) {
  const [width, height] = boxes[current];
  // Of a track, more frames lie below the square: it takes up so much of the stage.
  const share = Math.min(1, image.naturalWidth / image.naturalHeight || 1);
  const side = (WINDOW * Math.max(width, height)) / share;
  const frame = $("frame").style; // through the object model, which the policy allows
  frame.width = `${(100 * width) / side}%`;
  frame.height = `${(100 * height) / side}%`;
  frame.left = `${50 - (50 * width) / side}%`;
  frame.top = `${50 * share - (50 * height) / side}%`;
}

function put(entry) {
  entry.image.alt = `Face ${current + 1} of ${labels.length}, with its surroundings`;
  $("picture").replaceChildren(entry.image);
  place(entry.image);
  $("lost").hidden = !entry.lost;
}

function show(number) {
  current = number;
  const entry = picture(number);
  if (entry.ready || entry.lost) put(entry);
  else entry.done.then(() => { if (current === number) put(entry); });
  $("heading").textContent = `Face ${number + 1} of ${labels.length}`;
  press(choices, labels[number], "label");
  if (answers) $("model").textContent = answers[number] ? `The model says ${answers[number]}.` : "";
  $("back").disabled = number === 0;
  $("on").disabled = number === labels.length - 1;
  drawn(prefetch); // the pictures of the next faces are here already
  return entry.done;
}

function update(found) {
  Object.assign(state, { agreement: found.agreement ?? state.agreement, answered: found.answered });
  progress(state.answered, labels.length, state.agreement, "faces");
}

function nextOpen(after) {
  for (let n = after + 1; n < labels.length; n++) if (!labels[n]) return n;
  const open = labels.indexOf("");
  return open < 0 ? null : open;
}

// Say how long it took from a key to the next face on the screen.
function measure(start) {
  drawn(() => performance.measure("key to next face", { start, end: performance.now() }));
}

async function answer(label, event) {
  await alone(async () => {
    const number = current;
    const saved = await send("answer", { face: number, label });
    labels[number] = label;
    pace();
    const next = nextOpen(number);
    if (next === null) {
      say(`${WORDS[label]}. Every face has an answer.`);
      lookOver();
    } else {
      const shown = show(next);
      if (event) shown.then(() => measure(event.timeStamp));
      say(`${WORDS[label]}. Now face ${next + 1} of ${labels.length}.`);
    }
    saved.json().then(update, alarm); // not waited for: the next face takes its key already
  });
}

async function undo() {
  await alone(async () => {
    const found = await post("undo");
    if (found.face === null) { say("There is nothing to undo."); return; }
    labels[found.face] = found.label;
    update(found);
    show(found.face);
    say(`Undone. Now face ${found.face + 1} of ${labels.length}.`);
  });
}

function move(by) {
  const to = current + by;
  if (to < 0 || to >= labels.length) return;
  show(to);
  say(`Face ${to + 1} of ${labels.length}. ${WORDS[labels[to]] ?? "No answer yet"}.`);
}

// The grid.

function chosen() {
  const numbers = [];
  labels.forEach((label, n) => { if (label && (!filter || label === filter)) numbers.push(n); });
  return numbers;
}

function thumb(number) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "thumb";
  button.dataset.number = number;
  const image = document.createElement("img");
  image.loading = "lazy";
  image.alt = "";
  image.src = `thumb/${number}`;
  const words = document.createElement("span");
  button.append(image, words);
  name(button);
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function name(button) {
  const number = Number(button.dataset.number);
  button.lastChild.textContent = WORDS[labels[number]];
  button.setAttribute("aria-label", `Face ${number + 1}: ${WORDS[labels[number]]}`);
}

function fill() {
  const numbers = chosen();
  first = Math.min(first, Math.max(0, Math.floor((numbers.length - 1) / PART) * PART));
  $("thumbs").replaceChildren(...numbers.slice(first, first + PART).map(thumb));
  const end = Math.min(first + PART, numbers.length);
  $("part").textContent = numbers.length ? `${first + 1} to ${end} of ${numbers.length}` : "None";
  $("earlier").disabled = first === 0;
  $("later").disabled = end >= numbers.length;
  for (const button of filters) {
    const value = button.dataset.filter;
    const count = labels.filter((label) => label && (!value || label === value)).length;
    button.textContent = `${WORDS[value] ?? "All"} ${count}`;
  }
  press(filters, filter, "filter");
}

function lookOver() {
  $("one").hidden = true;
  $("grid").hidden = false;
  $("finished").hidden = labels.includes("");
  fill();
  $("grid-heading").focus();
}

function leave(number = nextOpen(-1) ?? current) {
  $("grid").hidden = true;
  $("one").hidden = false;
  show(number);
  $("heading").focus();
}

async function relabel(button, label) {
  await alone(async () => {
    const number = Number(button.dataset.number);
    update(await post("answer", { face: number, label }));
    labels[number] = label;
    name(button);
    say(`Face ${number + 1}: ${WORDS[label]}.`);
  });
}

function across() {
  const buttons = [...document.querySelectorAll(".thumb")];
  const below = buttons.findIndex((b) => b.offsetTop > buttons[0].offsetTop);
  return below < 0 ? buttons.length : below;
}

function walk(key, button) {
  const buttons = [...document.querySelectorAll(".thumb")];
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across(), ArrowDown: across() };
  const from = buttons.indexOf(button);
  const to = from < 0 ? 0 : from + steps[key];
  buttons[to]?.focus();
}

// Keys and buttons.

onKey((key, event) => {
  if (!$("ended").hidden) return false;
  const inGrid = !$("grid").hidden;
  const button = inGrid ? document.activeElement?.closest?.(".thumb") : null;
  if (key === "g" || (inGrid && key === "Escape")) {
    if (event.repeat) return true;
    if (inGrid) leave(); else lookOver();
  } else if (inGrid && key.startsWith("Arrow")) {
    if (!document.querySelector(".thumb")) return false;
    walk(key, button);
  } else if (labelOf(key)) {
    if (event.repeat) return true; // a key that is held down is one answer
    if (!inGrid) answer(labelOf(key), event);
    else if (button) relabel(button, labelOf(key));
  } else if (inGrid) {
    return false;
  } else if (key === "z") {
    if (!event.repeat) undo();
  } else if (key === "ArrowLeft" || key === "ArrowRight") {
    move(key === "ArrowLeft" ? -1 : 1);
  } else {
    return false;
  }
  return true;
});

for (const button of choices) {
  button.addEventListener("click", (event) => answer(button.dataset.label, event));
}
for (const button of filters) {
  button.addEventListener("click", () => { filter = button.dataset.filter; first = 0; fill(); });
}
$("thumbs").addEventListener("click", (event) => {
  const button = event.target.closest(".thumb");
  if (button) leave(Number(button.dataset.number));
});
$("back").addEventListener("click", () => move(-1));
$("on").addEventListener("click", () => move(1));
$("undo").addEventListener("click", undo);
$("look").addEventListener("click", lookOver);
$("return").addEventListener("click", () => leave());
$("earlier").addEventListener("click", () => { first = Math.max(0, first - PART); fill(); });
$("later").addEventListener("click", () => { first += PART; fill(); });
$("stop").addEventListener("click", stop);
$("stop-too").addEventListener("click", stop);
addEventListener("unhandledrejection", (event) => alarm(event.reason));

progress(state.answered, labels.length, state.agreement, "faces");
const begin = nextOpen(-1);
if (begin === null) lookOver(); else show(begin);
document.body.dataset.ready = "yes";
