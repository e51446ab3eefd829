// The queue: says when it is no longer what waits, and begins with Enter.

import { listen } from "./common.js";

const begin = document.getElementById("begin");
let known = null;

listen(({ waiting }) => {
  if (known !== null && waiting !== known) document.getElementById("fresh").hidden = false;
  known = waiting;
});

addEventListener("keydown", (event) => {
  const busy = ["INPUT", "SELECT", "BUTTON", "A"].includes(event.target.tagName);
  if (event.key === "Enter" && begin && !busy) begin.click();
});
