import { type FormEvent, useState } from "react";
import { announce } from "../app/announce";
import { ProblemPanel } from "../problems/ProblemPanel";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Field } from "../ui/Field";
import styles from "./KeyDialogs.module.css";
import { stateOf } from "./PoolState";
import { t } from "./strings";
import { problem, useDraining } from "./useOps";

/** The api takes no longer reason. */
const LONGEST_WHY = 200;

interface Props {
  name: string;
  onClose: () => void;
}

/** Asks why a pool shall take no new work, and says what becomes of its jobs. */
export function DrainPool({ name, onClose }: Props) {
  const { drain } = useDraining();
  const [why, setWhy] = useState("");
  const failed = problem(drain.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    drain.mutate(
      { name, why: why.trim() },
      {
        onSuccess: (pool) => {
          onClose();
          announce(t("say.pool", { pool: name, state: stateOf(pool) }));
        },
      },
    );
  };
  return (
    <Dialog title={t("drain.title", { pool: name })} onClose={onClose}>
      <form className={styles.form} onSubmit={submit}>
        <p>{t("drain.words")}</p>
        <Field label={t("drain.why")} hint={t("drain.why.hint")}>
          {(control) => (
            <input {...control} maxLength={LONGEST_WHY} value={why} onChange={(event) => setWhy(event.target.value)} />
          )}
        </Field>
        {failed ? <ProblemPanel code={failed.code} detail={failed.detail} requestId={failed.requestId} /> : null}
        <div className={styles.actions}>
          <Button look="main" type="submit" disabled={drain.isPending}>
            {t("drain")}
          </Button>
          <Button onClick={onClose}>{t("drain.no")}</Button>
        </div>
      </form>
    </Dialog>
  );
}
