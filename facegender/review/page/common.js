// What both pages need: requests, words, progress, keys.

export const WORDS = {
  female: "Female", male: "Male", untellable: "Cannot tell", not_face: "Not a face",
};
const KEYS = { f: "female", m: "male", u: "untellable", x: "not_face" };
const LONGEST = 60; // seconds; whoever takes longer has left the desk
const REMEMBERED = 25;

export const $ = (id) => document.getElementById(id);

export async function get(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

// Resolves as soon as the server has done what was asked for, before the body is here.
export async function send(address, body = {}) {
  const answer = await fetch(address, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

export async function post(address, body) { return (await send(address, body)).json(); }

// Call once the browser has drawn what was changed.
export function drawn(work) { requestAnimationFrame(() => setTimeout(work)); }

export function say(words) { $("status").textContent = words; }

export function alarm(error) {
  const gone = error instanceof TypeError; // no connection
  $("alarm").textContent = gone
    ? "Not saved: the program behind this page has ended. Start the same command again; it goes on here."
    : `Not saved: ${error.message}`;
  $("alarm").hidden = false;
}

// Do one thing at a time: a key that is pressed while an answer is being saved would be an answer
// about a face that nobody has seen.
let busy = false;
export async function alone(work) {
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    await work();
    $("alarm").hidden = true;
  } catch (error) {
    alarm(error);
  } finally {
    busy = false;
    document.body.setAttribute("aria-busy", "false");
  }
}

const paces = [];
let last = performance.now();
export function pace() {
  const now = performance.now();
  paces.push(Math.min((now - last) / 1000, LONGEST));
  if (paces.length > REMEMBERED) paces.shift();
  last = now;
}

export function progress(answered, total, agreement, what) {
  $("bar").max = Math.max(total, 1);
  $("bar").value = answered;
  const words = [`${answered} of ${total} ${what}`];
  if (paces.length >= 3 && answered < total) {
    const middle = [...paces].sort((a, b) => a - b)[paces.length >> 1];
    const minutes = (middle * (total - answered)) / 60;
    words.push(minutes < 1 ? "less than a minute left" : `about ${Math.round(minutes)} min left`);
  }
  if (agreement) words.push(`agrees with the model on ${agreement[0]} of ${agreement[1]}`);
  $("numbers").textContent = words.join(" · ");
}

// Call `handle(key, event)` for keys that are ours; it returns whether it took the key.
export function onKey(handle) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const single = key.length === 1 && key !== " ";
    if (single && !$("keys").checked) return;
    if (handle(key, event)) event.preventDefault();
  });
}

export const labelOf = (key) => KEYS[key];

export function press(buttons, value, attribute) {
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button.dataset[attribute] === value));
  }
}

export async function stop() {
  await alone(async () => {
    await post("stop");
    for (const section of document.querySelectorAll("main > section")) section.hidden = true;
    $("ended").hidden = false;
    $("ended-heading").focus();
  });
}
