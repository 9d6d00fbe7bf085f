import { useEffect, useState } from "react";
import { span } from "../i18n";
import { t } from "./strings";

/** How long until something is tried again by itself; it counts in seconds, and says so to nobody's screen reader. */
export function Countdown({ until }: { until: number }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const left = Math.ceil((until - now) / 1000);
  return <p>{left > 0 ? t("again_in", { span: span(left) }) : t("again_now")}</p>;
}
