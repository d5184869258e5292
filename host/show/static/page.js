"use strict";

// The page of --page: which picture is shown. Each lies in a block of JSON of its own, read when it is asked for.

const blocks = [...document.querySelectorAll("script[data-picture]")];
const viewer = new Viewer(document.getElementById("viewer"));
const about = document.getElementById("about");
const buttons = blocks.map((block, i) => element("button", {type: "button", textContent: block.dataset.picture, onclick: () => open(i)}));
let current = 0;

function open(index) {
  current = (index + blocks.length) % blocks.length;
  const item = JSON.parse(blocks[current].textContent);
  buttons.forEach((button, i) => button.setAttribute("aria-current", String(i === current)));
  about.textContent = item.about;
  viewer.show(item);
}

if (blocks.length > 1) {
  document.getElementById("pictures").append(...buttons);
  document.addEventListener("keydown", (event) => {
    const step = {n: 1, PageDown: 1, p: -1, PageUp: -1}[event.key];
    if (!step || isTaken(event)) return;
    event.preventDefault();
    open(current + step);
  });
}
open(0);
