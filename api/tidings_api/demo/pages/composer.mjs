// The form: its content as a notification, and examples that fill it.

const TARGETS = {
  ana: { users: ["ana"] },
  bob: { users: ["bob"] },
  team: { groups: ["team"] },
  all: { all: true },
};

const EXAMPLES = {
  Parcel: {
    title: "Your parcel is on its way",
    body: "4711 arrives tomorrow between 9 and 11.",
    category: "orders",
    icon: "parcel",
    button: "Track",
    path: "parcels/4711",
  },
  Comment: {
    title: "Maria commented on “Q3 report”",
    body: "“Could you look at the figures before noon?”",
    category: "comments",
    icon: "comment",
  },
  Deploy: {
    title: "Version 42 is live",
    body: "All checks are green.",
    category: "deploys",
    icon: "deploy",
  },
  Alarm: {
    title: "Payments are failing",
    body: "Three of ten in the last minute. The team on call has been paged.",
    category: "alarms",
    icon: "alarm",
    urgent: true,
    button: "Open dashboard",
    path: "dashboard",
  },
};

const FORM = document.getElementById("composer");
const PRESETS = document.querySelector(".presets");
const { to, title, body, urgent, buttons } = FORM.elements;
let chosen = EXAMPLES.Parcel;

for (const [name, example] of Object.entries(EXAMPLES)) {
  const preset = document.createElement("button");
  preset.type = "button";
  preset.append(picture(example.icon), name);
  preset.addEventListener("click", () => {
    fill(example);
    FORM.requestSubmit();
  });
  PRESETS.append(preset);
}
fill(EXAMPLES.Parcel);

/** @returns {Element} the picture of a category, which a screen reader leaves out */
function picture(name) {
  const image = document.createElement("img");
  image.src = `/demo/files/${name}.svg`;
  image.alt = "";
  return image;
}

function fill(example) {
  chosen = example;
  title.value = example.title;
  body.value = example.body;
  urgent.checked = Boolean(example.urgent);
  buttons.checked = Boolean(example.button);
  FORM.dispatchEvent(new Event("input", { bubbles: true }));
}

/** The content of the form as the body of `POST /v1/notifications`. */
export function notification() {
  return {
    to: TARGETS[to.value],
    ...content({
      ...chosen,
      title: title.value,
      body: body.value,
      urgent: urgent.checked,
      button: buttons.checked && (chosen.button ?? "Open"),
    }),
  };
}

/** The first notifications of both users, oldest first. */
export const FIRST = ["Deploy", "Comment", "Parcel"].map((name) => ({
  to: { users: ["ana", "bob"] },
  ...content(EXAMPLES[name]),
}));

function content({ category, icon, title, body, urgent, button, path = "" }) {
  const link = `https://shop.example/${path}`;
  return {
    category,
    title,
    ...(body && { body }),
    icon: `/demo/files/${icon}.svg`,
    ...(urgent && { priority: "urgent" }),
    ...(button && { link, actions: [{ id: "open", label: button, link }] }),
  };
}
