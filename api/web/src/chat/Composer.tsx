import { SendHorizontal } from "lucide-react";
import { type KeyboardEvent, useId, useState } from "react";
import { WORDS } from "../app/drawer";
import { useStore } from "../app/store";
import { Button } from "../ui/Button";
import { Check } from "../ui/Check";
import { Disclosure } from "../ui/Disclosure";
import { SongPicker, type Source } from "../work/SongPicker";
import styles from "./Composer.module.css";
import { draft } from "./current";
import { t } from "./strings";
import { HOME } from "./useFocus";

interface Props {
  /** whether something is being answered */
  busy: boolean;
  autoRun: boolean;
  onAutoRun: (next: boolean) => void;
  onSay: (text: string, source: Source | null) => void;
  /** whom messages are sent to; none: nobody but the service; null: it is not known yet */
  providers: readonly string[] | null;
}

const MOST = 1000; // letters, as the API takes them

/** The field for the next message, with a song that it may speak of. */
export function Composer({ busy, autoRun, onAutoRun, onSay, providers }: Props) {
  const text = useStore(draft);
  const [source, setSource] = useState<Source | null>(null);
  const [songs, setSongs] = useState(0); // a song that was sent clears its picker
  const hint = useId();
  const send = () => {
    const said = text.trim();
    if (!said || busy) return;
    onSay(said, source);
    draft.set("");
    setSource(null);
    setSongs(songs + 1);
  };
  const onKey = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      className={styles.composer}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label htmlFor={WORDS} className={styles.label}>
        {t("words")}
      </label>
      <div className={styles.row}>
        <textarea
          {...HOME}
          id={WORDS}
          className={styles.field}
          rows={2}
          maxLength={MOST}
          value={text}
          aria-describedby={hint}
          onChange={(event) => draft.set(event.target.value)}
          onKeyDown={onKey}
        />
        <Button
          type="submit"
          look="main"
          aria-disabled={busy || !text.trim()}
          icon={<SendHorizontal aria-hidden="true" />}
        >
          {t("send")}
        </Button>
      </div>
      <p id={hint} className={styles.hint}>
        {t("send.hint")}
      </p>
      {source ? <p className={styles.hint}>{t("song.given")}</p> : null}
      <Check checked={autoRun} onChange={onAutoRun}>
        {t("auto_run")}
      </Check>
      <Disclosure key={songs} title={t("song")}>
        <SongPicker onChange={setSource} />
      </Disclosure>
      {providers ? (
        <p className={styles.hint}>
          {providers.length > 0 ? t("by.providers", { providers: providers.join(", ") }) : t("by.rules")}
        </p>
      ) : null}
    </form>
  );
}
