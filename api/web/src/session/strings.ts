import { translator } from "../i18n";

export const t = translator({
  en: {
    title: "Sign in",
    lead: "This service asks for a key. Whoever runs it can make you one.",
    kept: "Your songs and options stay as they are.",
    key: "Key",
    hint: "The page sends it once, for a session, and does not keep it.",
    show: "Show key",
    submit: "Sign in",
    cancel: "Cancel",
    wrong: "This key is unknown, expired or revoked.",
    done: "Signed in",
  },
  de: {
    title: "Anmelden",
    lead: "Dieser Dienst verlangt einen Schlüssel. Der Betreiber kann dir einen erstellen.",
    kept: "Deine Titel und Optionen bleiben, wie sie sind.",
    key: "Schlüssel",
    hint: "Die Seite sendet ihn einmal, für eine Sitzung, und behält ihn nicht.",
    show: "Schlüssel zeigen",
    submit: "Anmelden",
    cancel: "Abbrechen",
    wrong: "Dieser Schlüssel ist unbekannt, abgelaufen oder widerrufen.",
    done: "Angemeldet",
  },
});
