// @ts-check
// Screen 5: the picture of a step over the whole screen.

import { el } from "../dom.js";
import { pictureUrl } from "../feed.js";
import { show } from "../frame.js";
import { say, t } from "../words.js";

/** @param {any[]} media @param {() => void} back @param {number} [at] */
export function pictureScreen(media, back, at = 0) {
  const image = el("img", { alt: media[at].alt || t("picture_of") });
  let url = "";

  function draw() {
    show({
      title: media[at].alt || t("picture_of"),
      sub: media.length > 1 ? t("of", { n: at + 1, count: media.length }) : "",
      content: [el("div", { class: "picture" }, image)],
      commands: [
        { say: say.back, act: back, main: true, back: true },
        { say: "NEXT PICTURE", act: () => ((at = (at + 1) % media.length), load()), disabled: media.length < 2 },
      ],
    });
  }

  async function load() {
    try {
      URL.revokeObjectURL(url);
      url = await pictureUrl(media[at].id);
      image.setAttribute("src", url);
      draw();
    } catch {
      image.setAttribute("alt", t("lost"));
    }
  }

  draw();
  load();
  return { leave: () => URL.revokeObjectURL(url) };
}
