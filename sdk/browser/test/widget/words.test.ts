/** Texts, times and links: tests without a browser. */

import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { texts as packer } from "../../scripts/texts.mjs";
import { isRightToLeft, learn, speaks, textOf } from "../../src/widget/messages.js";
import { safeImage, safeLink, shown } from "../../src/widget/text.js";
import { texts as bell } from "../../src/widget/texts/bell.js";
import { texts as grouping } from "../../src/widget/texts/grouping.js";
import { PANEL } from "../../src/widget/texts/keys.js";
import { LANGUAGES } from "../../src/widget/texts/languages.js";
import { texts as others } from "../../src/widget/texts/others.js";
import { flatten } from "../../src/widget/texts/packing.js";
import { texts as panel } from "../../src/widget/texts/panel.js";
import { texts as snoozed } from "../../src/widget/texts/snoozed.js";
import { texts as snoozing } from "../../src/widget/texts/snoozing.js";
import type { MessageKey, PackedTexts } from "../../src/widget/texts-types.js";
import { TimeFormat } from "../../src/widget/time.js";

learn(panel);
learn(others);
learn(grouping);
learn(snoozing);
learn({ keys: ["snoozed"], lines: snoozed });

/** Builds a module that packs texts. Returns its code and its value. */
async function built(name: string): Promise<{ readonly texts: PackedTexts; readonly code: string }> {
  const { outputFiles } = await build({
    entryPoints: [new URL(`../../src/widget/texts/${name}.ts`, import.meta.url).pathname],
    bundle: true,
    write: false,
    format: "esm",
    charset: "utf8",
    plugins: [packer],
  });
  const code = outputFiles[0]?.text ?? "";
  const module = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  return { texts: module.texts, code };
}

test("The texts that the build packs are those of the sources, and no source is packed with them.", async () => {
  const packed = { bell: await built("bell"), panel: await built("panel"), others: await built("others") };

  expect(packed.bell.texts).toEqual(bell);
  expect(packed.panel.texts).toEqual(panel);
  expect(packed.others.texts).toEqual(others);
  for (const { code } of Object.values(packed)) expect(code).not.toContain("markAll:");
});

test.each(Object.entries(LANGUAGES))(
  "Every text in the source of %s is found by its key.",
  (name, source) => {
    const flat = Object.entries(flatten(source));

    for (const [key, text] of flat) {
      expect(textOf(name, key as MessageKey), key).toBe(text);
      expect(text, `${key} has the separator of packed texts`).not.toContain("|");
    }
    const plain = Object.values(source).filter((value) => typeof value === "string");
    const forms = [source.missed, source.fresh].flatMap((counted) => Object.values(counted));
    expect(flat.map(([, text]) => text).sort()).toEqual([...plain, ...forms].sort());
  },
);

test.each(["en", "de", "es", "fr", "ar", "zh", "ja"])(
  "every text exists in %s, and no other one",
  (language) => {
    const keys: readonly MessageKey[] = [...bell.keys, ...PANEL];
    // French and Spanish have a form for millions, which equals that of other numbers. Zero is never shown.
    const forms = new Intl.PluralRules(language)
      .resolvedOptions()
      .pluralCategories.filter((form) => form !== "zero" && (form !== "many" || language === "ar"));
    const isNeeded = (key: MessageKey) => !/_/.test(key) || forms.some((form) => key.endsWith(`_${form}`));
    for (const key of keys) if (isNeeded(key)) expect(textOf(language, key), key).not.toBe("");
    const line = { ...panel.lines, ...others.lines }[language];
    expect(line?.split("|").length).toBeLessThanOrEqual(PANEL.length);
    expect(line?.match(/\{count\}/g)?.length).toBeGreaterThan(0);
  },
);

test("a region does not change the language, and an unknown language is English", () => {
  expect(textOf("de-AT", "unread")).toBe("Ungelesen");
  expect(textOf("xx", "unread")).toBe("Unread");
  expect([speaks("zh-Hant-TW"), speaks("constructor"), speaks("")]).toEqual([true, false, false]);
  expect([isRightToLeft("ar-EG"), isRightToLeft("arn"), isRightToLeft("en")]).toEqual([true, false, false]);
});

describe("times", () => {
  const now = new Date(2026, 10, 22, 12, 0, 0);
  const ago = (minutes: number) => new Date(now.getTime() - minutes * 60_000);

  test.each([
    [-5, "now"],
    [0.5, "now"],
    [1, "1 min. ago"],
    [59, "59 min. ago"],
    [59.9, "1 hr. ago"],
    [11 * 60, "11 hr. ago"],
    [13 * 60, "11:00 PM"],
  ])("%d minutes ago is said as %j", (minutes, said) => {
    expect(new TimeFormat("en").ago(ago(minutes), now).replaceAll("\u202f", " ")).toBe(said);
  });

  test.each([
    [-60 * 24, "Today"],
    [60, "Today"],
    [13 * 60, "Yesterday"],
    [3 * 24 * 60, "Thursday"],
    [10 * 24 * 60, "November 12"],
    [365 * 24 * 60, "November 22, 2025"],
  ])("%d minutes ago stands under %j", (minutes, heading) => {
    expect(new TimeFormat("en").day(ago(minutes), now)).toBe(heading);
  });
});

test("links are those of the contract, and icons are no mail", () => {
  for (const link of [
    "https://shop.example/o/1",
    "HTTP://shop.example",
    "mailto:ana@shop.example",
    "/orders?x=1#y",
  ])
    expect(safeLink(link)).toBe(link);
  for (const link of [
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example",
    "/\\evil.example",
    "java\nscript:1",
    "https:///x",
    " https://shop.example",
    "https://a b",
    "orders",
    "",
  ])
    expect(safeLink(link), JSON.stringify(link)).toBeUndefined();
  expect([safeImage("mailto:a@b.example"), safeImage("/i.png"), safeImage(undefined)]).toEqual([
    undefined,
    "/i.png",
    undefined,
  ]);
});

test("a text is cut between characters, and forces no direction on others", () => {
  expect(shown("x".repeat(599) + "🎉".repeat(5))).toBe(`${"x".repeat(599)}…`);
  expect(shown("x".repeat(600))).toHaveLength(600);
  expect(shown("invoice\u202efdp.exe")).toBe("invoicefdp.exe");
});
