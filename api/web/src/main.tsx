import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./theme.css";
import "./base.css";
// small, and shared by parts that come later: here they cost no file of their own
import "./app/playing";
import "./ui/useCanvas";
import "./ui/useFrames";
import { App } from "./app/App";
import { foresee } from "./app/foresee";
import { whenIdle } from "./app/idle";
import { startPreferences } from "./app/preferences";
import { startWorker } from "./app/worker";
import { loadWords } from "./problems/known";
import { retryPausing } from "./studio/sender";

startPreferences();
window.addEventListener("online", retryPausing);
foresee(location.pathname);
whenIdle(() => {
  void loadWords().catch(() => {}); // without them, problems show the api's own
  void startWorker().catch(() => {}); // the page works without one
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
