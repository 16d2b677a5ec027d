/** The page of the React application: rendered here, or hydrated if a server has rendered it. */

import { StrictMode } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { FakeInbox, notification } from "./fake.js";
import { Application } from "./react-application.js";
import { STATES } from "./states.js";

const inbox = STATES["usual"]?.() ?? new FakeInbox([]);
const other = new FakeInbox([notification(1, { title: "For bob" })]);
const faults: string[] = [];
Object.assign(window, { inbox, other, notification, faults, renders: 0 });

const application = (
  <StrictMode>
    <Application clients={[inbox, other]} />
  </StrictMode>
);
const home = document.querySelector("#home");
const onRecoverableError = (error: unknown) => faults.push(String(error));
if (home?.hasChildNodes()) hydrateRoot(home, application, { onRecoverableError });
else if (home) createRoot(home).render(application);
