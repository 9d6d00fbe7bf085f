import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { announce } from "../app/announce";
import { Button } from "../ui/Button";
import { t } from "./strings";

const DEMO = "/demo.flac";

/** Offers the bundled song, where the service has it. */
export function DemoSong({ onFile }: { onFile: (file: File) => void }) {
  const [busy, setBusy] = useState(false);
  const there = useQuery({
    queryKey: ["demo"],
    queryFn: async () =>
      (await fetch(DEMO, { method: "HEAD" })).headers.get("Content-Type")?.startsWith("audio/") === true,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (!there.data) return null;
  const load = async () => {
    setBusy(true);
    announce(t("drop.busy"));
    const response = await fetch(DEMO);
    if (response.ok) onFile(new File([await response.blob()], "stemsvc demo.flac", { type: "audio/flac" }));
    setBusy(false);
  };
  return (
    <Button disabled={busy} onClick={() => void load()}>
      {busy ? t("drop.busy") : t("drop.demo")}
    </Button>
  );
}
