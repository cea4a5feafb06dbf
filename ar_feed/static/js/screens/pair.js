// @ts-check
// Screen 1: a code and a QR; a signed-in person approves on a phone, nobody types a password here.

import { el } from "../dom.js";
import { askToPair, fetchToken, keepSession } from "../feed.js";
import { setText, show } from "../frame.js";
import { duration, t } from "../words.js";

const USER = "sightline.user";

/** @param {any} app @param {string} [remark] */
export function pairScreen(app, remark = "") {
  const node = { remark: el("p", { class: "remark" }, remark), left: el("p", { class: "remark" }), code: el("p", { class: "code" }, "····-····") };
  const picture = el("img", { alt: "", width: 230, height: 230 });
  const address = `${location.host}/pair`;
  let pairing = null;
  let until = 0;
  let timer = 0;
  let gone = false;

  const draw = () =>
    show({
      title: t("pair_title"),
      content: [
        el("div", { class: "pairing" }, el("div", {}, el("p", {}, t("pair_how")), el("p", { class: "address" }, el("bdi", { dir: "ltr" }, address)), el("p", {}, t("pair_code")), node.code, node.left, node.remark), picture),
      ],
      commands: [{ say: "NEW CODE", act: ask, main: true }],
    });

  async function ask() {
    clearTimeout(timer);
    try {
      pairing = await askToPair("glasses", deviceName());
      until = performance.now() + pairing.expires_in * 1000;
      setText(node.code, pairing.user_code);
      picture.setAttribute("src", `/glasses/qr.svg?code=${pairing.user_code}`);
      picture.setAttribute("alt", `${address}?code=${pairing.user_code}`);
      again(pairing.interval);
    } catch {
      setText(node.remark, t("pair_away"));
      timer = setTimeout(ask, 3000);
    }
  }

  function again(seconds) {
    clearTimeout(timer);
    if (!gone) timer = setTimeout(poll, seconds * 1000);
  }

  async function poll() {
    try {
      finish(await fetchToken(pairing.device_code));
    } catch (error) {
      const word = error.problem?.error;
      if (word === "authorization_pending" || word === "slow_down") {
        setText(node.remark, "");
        again(pairing.interval + (word === "slow_down" ? 2 : 0));
      } else if (error.status === 400) {
        setText(node.remark, t(word === "access_denied" ? "pair_denied" : "pair_expired"));
        timer = setTimeout(ask, 2000);
      } else {
        setText(node.remark, t("pair_away"));
        again(3);
      }
    }
  }

  function finish(found) {
    if (localStorage.getItem(USER) !== String(found.user.id)) app.store.clear(); // another person's tasks are not shown
    localStorage.setItem(USER, String(found.user.id));
    keepSession(found);
    app.start();
  }

  draw();
  ask();
  return {
    tick: () => setText(node.left, pairing ? t("pair_left", { age: duration(Math.max(0, (until - performance.now()) / 1000)) }) : ""),
    leave: () => {
      gone = true;
      clearTimeout(timer);
    },
  };
}

function deviceName() {
  const kind = document.documentElement.dataset.device ?? "glasses";
  return `${kind} ${screen.width}x${screen.height}`;
}
