import { MapPinOff } from "lucide-react";
import { t } from "../strings";
import { Empty } from "../ui/Empty";
import { LinkButton } from "../ui/LinkButton";
import { Page } from "./Page";

/** An address of the page that leads nowhere. */
export function Missing() {
  return (
    <Page title={t("missing.title")}>
      <Empty icon={<MapPinOff />} title={t("missing.title")}>
        <p>{t("missing.words")}</p>
        <LinkButton href="/">{t("missing.home")}</LinkButton>
      </Empty>
    </Page>
  );
}
