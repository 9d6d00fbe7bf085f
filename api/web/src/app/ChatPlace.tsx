import { lazy, Suspense, useEffect, useRef } from "react";
import { Boundary } from "../problems/Boundary";
import { asksForDrawer, drawer, giveFocusBack, openDrawer } from "./drawer";
import { preferences } from "./preferences";
import { useStore } from "./store";

const Chat = lazy(() => import("../chat/Chat"));

/** The chat beside each screen. It comes in files of its own, when it is opened for the first time. */
export function ChatPlace() {
  const open = useStore(drawer);
  const was = useRef(open);
  useEffect(() => {
    if (was.current && !open) giveFocusBack();
    was.current = open;
  }, [open]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!preferences.get().shortcuts || !asksForDrawer(event)) return;
      event.preventDefault();
      openDrawer();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  if (!open) return null;
  return (
    <Boundary>
      <Suspense fallback={null}>
        <Chat />
      </Suspense>
    </Boundary>
  );
}
