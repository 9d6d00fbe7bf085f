import { translator } from "../i18n";

export const t = translator({
  en: {
    title: "Shared stems",
    gone: "This link no longer works",
    "gone.words": "It has expired, or its stems were deleted. Ask who sent it for another one.",
    until: "This link works until {moment}.",
    zip: "Download all (zip, {bytes})",
    waiting: "The stems are not ready yet.",
    none: "There are no stems here any more.",
  },
  de: {
    title: "Geteilte Spuren",
    gone: "Dieser Link gilt nicht mehr",
    "gone.words": "Er ist abgelaufen, oder seine Spuren wurden gelöscht. Bitte den Absender um einen neuen.",
    until: "Dieser Link gilt bis {moment}.",
    zip: "Alle herunterladen (Zip, {bytes})",
    waiting: "Die Spuren sind noch nicht fertig.",
    none: "Hier sind keine Spuren mehr.",
  },
});
