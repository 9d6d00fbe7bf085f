import { useState } from "react";
import { Problem } from "../api";
import { announce } from "../app/announce";
import dialog from "../jobs/Dialogs.module.css";
import { ProblemPanel } from "../problems/ProblemPanel";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import { save } from "./save";
import { t } from "./strings";
import { type Format, useHistoryActions } from "./useHistory";

interface Props {
  id: string;
  name: string;
  onClose: () => void;
}

const MOST_NAME = 200;
const ENDINGS: Record<Format, string> = { markdown: "md", json: "json" };

function Failed({ error }: { error: unknown }) {
  if (!(error instanceof Problem)) return null;
  return <ProblemPanel code={error.code} detail={error.detail} requestId={error.requestId} />;
}

/** Asks for another name. */
export function RenameDialog({ id, name, onClose }: Props) {
  const [next, setNext] = useState(name);
  const { rename } = useHistoryActions(id);
  return (
    <Dialog title={t("rename", { name })} onClose={onClose}>
      <form
        className={dialog.body}
        onSubmit={(event) => {
          event.preventDefault();
          if (next.trim()) rename.mutate(next.trim(), { onSuccess: onClose });
        }}
      >
        <Field label={t("rename.name")}>
          {(control) => (
            <input {...control} maxLength={MOST_NAME} value={next} onChange={(event) => setNext(event.target.value)} />
          )}
        </Field>
        <Failed error={rename.error} />
        <div className={dialog.actions}>
          <Button type="submit" look="main" disabled={rename.isPending || !next.trim()}>
            {t("rename.save")}
          </Button>
          <Button onClick={onClose}>{t("rename.cancel")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Asks in which form a conversation is taken home. */
export function ExportDialog({ id, name, onClose }: Props) {
  const { take } = useHistoryActions(id);
  const go = (format: Format) =>
    take.mutate(format, {
      onSuccess: (text) => {
        const url = URL.createObjectURL(text);
        save(url, `${name}.${ENDINGS[format]}`);
        URL.revokeObjectURL(url);
        onClose();
      },
    });
  return (
    <Dialog title={t("export.title")} onClose={onClose}>
      <div className={dialog.body}>
        <p>{name}</p>
        <Failed error={take.error} />
        <div className={dialog.actions}>
          <Button disabled={take.isPending} onClick={() => go("markdown")}>
            {t("export.markdown")}
          </Button>
          <Button disabled={take.isPending} onClick={() => go("json")}>
            {t("export.json")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

/** Asks before a conversation is erased for good. */
export function DeleteDialog({ id, name, onClose, onDeleted }: Props & { onDeleted: () => void }) {
  const { erase } = useHistoryActions(id);
  const gone = () => {
    announce(t("deleted", { name }));
    onClose();
    onDeleted();
  };
  return (
    <Dialog title={t("delete.title")} onClose={onClose}>
      <div className={dialog.body}>
        <p>{t("delete.words", { name })}</p>
        <Failed error={erase.error} />
        <div className={dialog.actions}>
          <Button look="danger" disabled={erase.isPending} onClick={() => erase.mutate(undefined, { onSuccess: gone })}>
            {t("delete.yes")}
          </Button>
          <Button onClick={onClose}>{t("delete.no")}</Button>
        </div>
      </div>
    </Dialog>
  );
}
