/** Takes pictures of the widget in all states, or in the named ones: `node scripts/pictures.mjs FOLDER [NAME ...]`. */
import { start } from "../test/widget/harness.mjs";

const DESK = { width: 760, height: 680 };
const PHONE = { width: 390, height: 780 };
const SHOTS = [
  { name: "inbox-light" },
  { name: "inbox-dark", dark: true },
  { name: "inbox-rtl", query: "state=arabic&lang=ar" },
  { name: "inbox-phone", size: PHONE, touch: true },
  { name: "inbox-page", query: "mode=page", closed: true, size: { width: 1000, height: 680 } },
  { name: "toasts", query: "toasts", closed: true, toasts: true },
  { name: "bell", closed: true },
  { name: "toasts-dark", query: "toasts", closed: true, toasts: true, dark: true },
  { name: "narrow", query: "mode=page&width=280", closed: true },
  { name: "narrow-dark", query: "mode=page&width=280", closed: true, dark: true },
  { name: "phone-dark", size: PHONE, dark: true },
  { name: "small-phone", size: { width: 320, height: 568 }, touch: true },
  { name: "hostile", query: "state=hostile" },
  { name: "empty", query: "state=empty" },
  { name: "empty-dark", query: "state=empty", dark: true },
  { name: "loading", query: "state=loading" },
  { name: "loading-dark", query: "state=loading", dark: true },
  { name: "failed", query: "state=failed" },
  { name: "offline", query: "state=offline" },
  { name: "stopped", query: "state=stopped" },
  { name: "many", query: "state=many" },
  { name: "hover", hover: true },
  { name: "keyboard", keys: ["ArrowDown", "ArrowDown"] },
  { name: "undo", hover: true, archive: true },
  { name: "undo-dark", hover: true, archive: true, dark: true },
  { name: "german", query: "lang=de" },
  { name: "french-narrow", query: "lang=fr&mode=page&width=280", closed: true },
  { name: "japanese", query: "lang=ja" },
];

const [folder, ...only] = process.argv.slice(2);
if (!folder) throw new Error("Name a folder for the pictures.");
const { url, browser, stop } = await start();
try {
  for (const shot of SHOTS.filter(({ name }) => !only.length || only.includes(name))) {
    const page = await browser.newPage({
      viewport: shot.size ?? DESK,
      colorScheme: shot.dark ? "dark" : "light",
      deviceScaleFactor: 2,
      hasTouch: shot.touch ?? false,
      isMobile: shot.touch ?? false,
      timezoneId: "UTC",
    });
    page.on("console", (message) => process.stderr.write(`${shot.name}: ${message.text()}\n`));
    page.on("pageerror", (error) => process.stderr.write(`${shot.name}: ${error}\n`));
    await page.goto(`${url}?${shot.query ?? ""}`, { waitUntil: "domcontentloaded" });
    if (!shot.closed) await page.locator("tidings-inbox .bell").click();
    if (shot.toasts)
      await page.evaluate(() => {
        const { inbox, notification } = window;
        inbox.arrive(
          notification(0, {
            title: "Your parcel is on its way",
            body: "It arrives tomorrow between 9 and 12.",
            icon: "/parcel.svg",
            link: "/o/4711",
          }),
        );
        inbox.arrive(
          notification(0, {
            title: "Deploy needs your approval",
            body: "web 4.12.0 is ready for production.",
            priority: "high",
            actions: [
              { id: "approve", label: "Approve" },
              { id: "view", label: "View changes" },
            ],
          }),
        );
        inbox.arrive(
          notification(0, {
            title: "Payment failed for invoice 2026-118",
            body: "The card was declined.",
            priority: "urgent",
          }),
        );
      });
    if (shot.hover) await page.locator("tidings-inbox .row").first().hover();
    for (const key of shot.keys ?? []) await page.keyboard.press(key);
    if (shot.archive) await page.locator("tidings-inbox .row .tool").nth(1).click();
    await page.evaluate(() =>
      Promise.all(
        document
          .getAnimations({ subtree: true })
          .map(
            (each) =>
              each.timeline === document.timeline &&
              each.effect?.getTiming().iterations === 1 &&
              each.finished,
          ),
      ),
    );
    await page.waitForTimeout(350);
    await page.screenshot({ path: `${folder}/${shot.name}.png` });
    await page.close();
  }
} finally {
  await stop();
}
