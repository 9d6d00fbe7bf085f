import { words } from "./words";

/** Codes of requests: who asks, and how. */
export const requests = {
  bad_request: words("retry", "The service could not read the request.", "Der Dienst konnte die Anfrage nicht lesen."),
  unauthorized: words("sign_in", "Sign in to go on.", "Melde dich an, um fortzufahren."),
  forbidden: words("sign_in", "Your key may not do this.", "Dein Schlüssel darf das nicht."),
  priority_forbidden: words(
    "change",
    "Your key may not send jobs this urgent.",
    "Dein Schlüssel darf keine so dringenden Aufträge senden.",
  ),
  host_refused: words(
    "operator",
    "The service does not answer under this address.",
    "Der Dienst antwortet nicht unter dieser Adresse.",
  ),
  cross_site: words(
    "operator",
    "The service refuses changes from another site's page.",
    "Der Dienst lehnt Änderungen von Seiten anderer Websites ab.",
  ),
  not_found: words("jobs", "There is nothing at this address.", "Unter dieser Adresse gibt es nichts."),
  method_not_allowed: words("operator", "The service does not do this here.", "Der Dienst tut das hier nicht."),
  request_timeout: words(
    "upload_again",
    "The upload was too slow, and the service stopped waiting.",
    "Das Hochladen war zu langsam, der Dienst hat nicht länger gewartet.",
  ),
  headers_too_large: words(
    "operator",
    "The request's headers are too large.",
    "Die Kopfzeilen der Anfrage sind zu groß.",
  ),
  unsupported_media_type: words(
    "retry",
    "The service does not take this form of request.",
    "Der Dienst nimmt diese Form der Anfrage nicht an.",
  ),
  invalid_fields: words("change", "Some options do not fit.", "Einige Optionen passen nicht."),
  rate_limited: words("wait", "That was a lot at once.", "Das war viel auf einmal."),
  too_many_connections: words(
    "wait",
    "Too many connections are open from here.",
    "Von hier sind zu viele Verbindungen offen.",
  ),
  bad_idempotency_key: words(
    "retry",
    "The request's own key was not accepted.",
    "Der Schlüssel der Anfrage wurde nicht angenommen.",
  ),
  idempotency_conflict: words(
    "again",
    "This request was already used for something else.",
    "Diese Anfrage wurde schon für etwas anderes verwendet.",
  ),
  bad_cursor: words("refresh", "The list has changed since.", "Die Liste hat sich inzwischen geändert."),
  bad_last_event_id: words(
    "refresh",
    "The updates lost their place.",
    "Die Aktualisierungen haben den Anschluss verloren.",
  ),
  too_many_streams: words(
    "wait",
    "Live updates are all taken; the page asks every few seconds instead.",
    "Alle Live-Aktualisierungen sind vergeben; die Seite fragt stattdessen alle paar Sekunden.",
  ),
  no_answer: words("wait", "The service does not answer.", "Der Dienst antwortet nicht."),
  timeout: words(
    "refresh",
    "This takes longer than the page waits; it goes on.",
    "Das dauert länger, als die Seite wartet; es läuft weiter.",
  ),
};
