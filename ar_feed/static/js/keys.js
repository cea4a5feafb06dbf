// @ts-check
// Everything by keys: arrows move, Enter acts (the browser's own), digits select, Escape goes back.

const FORWARD = new Set(["ArrowDown", "ArrowRight"]);
const BACKWARD = new Set(["ArrowUp", "ArrowLeft"]);

const reachable = (root) => [...root.querySelectorAll("button:not(:disabled), input")];

/** @param {HTMLElement} root @param {(by: string) => void} actedBy told how the last act was given */
export function installKeys(root, actedBy) {
  document.addEventListener("pointerdown", () => actedBy("touch"));
  document.addEventListener("keydown", (event) => {
    actedBy("keys");
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const typing = event.target instanceof HTMLInputElement;
    if (FORWARD.has(event.key) || BACKWARD.has(event.key)) {
      if (typing && (event.key === "ArrowLeft" || event.key === "ArrowRight")) return;
      move(root, FORWARD.has(event.key) ? 1 : -1);
      event.preventDefault();
    } else if (event.key === "Escape") {
      root.querySelector("button[data-back]")?.click();
    } else if (!typing && press(root, event.key)) {
      event.preventDefault();
    }
  });
}

function move(root, by) {
  const all = reachable(root);
  const at = all.indexOf(document.activeElement);
  if (all.length) all[at < 0 ? 0 : (at + by + all.length) % all.length].focus();
}

/** A button that names this key (rows by their number, the pad's keys), else the n-th command. */
function press(root, key) {
  const named = root.querySelector(`button[data-key="${CSS.escape(key === "," ? "." : key)}"]:not(:disabled)`);
  if (named) {
    named.click();
    return true;
  }
  if (!/^[1-9]$/.test(key) || root.querySelector("button[data-key]")) return false;
  const command = root.querySelectorAll(".commands button")[Number(key) - 1];
  if (!command || command.disabled) return false;
  command.click();
  return true;
}
